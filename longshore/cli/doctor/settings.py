"""The settings: all that is wrong, and names that are not read."""

from collections.abc import Iterator

from config.environment import find_advice, find_env_file
from config.roles import Role
from config.settings import Settings, load
from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.errors import ConfigProblems


def check(context: CheckContext) -> Iterator[Finding]:
    """Every problem that `longshore config check` would list, one finding each, and its advice as warnings."""
    if context.unread:
        yield broken(context.unread, "Make it a readable UTF-8 file, or remove it")
    wrong = False
    try:
        load(context.environ, context.role)
    except ConfigProblems as error:
        wrong = True
        for problem in error.problems:
            yield broken(f"{problem.variable}: {problem.problem}", problem.remedy)
    for text in find_advice(context.environ, {name.upper() for name in Settings.model_fields}):
        yield warning(text, "Correct it, or remove the variable if nothing reads it")
    if not wrong:
        yield ok(f"what `longshore {context.role.value}` needs is set")
    if (path := find_env_file()) is not None:
        yield ok(f"{path} is read too; the process environment is stronger")
    if context.role is Role.RUN and not context.settings.redis_url and context.settings.longshore_data is None:
        yield warning(
            "REDIS_URL and LONGSHORE_DATA are empty: `longshore run` keeps its ledger in a temporary folder",
            "Set LONGSHORE_DATA to a folder that lasts, or REDIS_URL",
        )


def usable(environ: dict[str, str]) -> Settings:
    """The settings without their unusable values, so that the other checks can still look at what is there."""
    values = {name: environ[name.upper()] for name in Settings.model_fields if name.upper() in environ}
    while True:
        try:
            return load({name.upper(): value for name, value in values.items()} | _for_mappings(environ), role=None)
        except ConfigProblems as error:
            unusable = {problem.variable.lower() for problem in error.problems} & set(values)
            if not unusable:
                return Settings()
            values = {name: value for name, value in values.items() if name not in unusable}


def _for_mappings(environ: dict[str, str]) -> dict[str, str]:
    """Variables that are no settings: mapping expressions may read them."""
    return {name: value for name, value in environ.items() if name.lower() not in Settings.model_fields}

"""`longshore config check`: what the settings come to, before anything is started with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from config import flower_login, target_files
from config.environment import find_advice, find_env_file, read_environment
from config.mapping_file import load_mapping
from config.roles import Role
from config.secret_files import BY_FILE
from config.setting_fields import SECRETS
from config.settings import Settings, load
from ingest.kafka import consumer_options
from longshore.cli import terminal
from longshore.errors import ConfigProblems

HIDDEN = "(set, not shown)"

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def _config() -> None:
    """Look at the configuration."""


@commands.command()
def check(
    role: Annotated[Role, typer.Option(help="The program to check the settings for.")] = Role.RUN,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object instead of lines.")] = False,
) -> None:
    """Check the settings and the mapping file, and print what is in effect. Secrets are not shown.

    Exits with 78 and a list of all problems when something is wrong.
    """
    settings = load(role=role)
    environ = read_environment()
    # Whatever the role: one environment is often given to all programs.
    if problems := list(flower_login.find_problems({"flower_insecure": "true"}, environ)):
        raise ConfigProblems(problems)
    mappings = load_mapping(settings)
    mappings.close()
    if role.delivers:
        target_files.check_mapping(mappings.deliveries)
    if role.reads_invocations and not settings.is_polling:
        consumer_options.check(settings)
    if as_json:
        terminal.print_json({name: value for name, value, _ in _read_effective(settings, environ)})
    else:
        for name, value, is_set in _read_effective(settings, environ):
            terminal.print_lines(f"{name}={'' if value is None else value}{'' if is_set else '  (default)'}")
    notes = [*find_advice(environ, {name.upper() for name in Settings.model_fields}), *mappings.warnings]
    if (env_file := find_env_file()) is not None:
        notes.append(f"{env_file} was read too; the process environment is stronger")
    for note in notes:
        terminal.say(note)
    where = settings.mapping_path or "built in"
    terminal.say(f"The settings for `longshore {role.value}` are fine. The mapping is {where}.")


def _read_effective(settings: Settings, environ: dict[str, str]) -> Iterator[tuple[str, Any, bool]]:
    """Each variable, its value fit to be shown, and whether it was given."""
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if field in SECRETS and value:
            value = HIDDEN
        yield field.upper(), str(value) if isinstance(value, Path) else value, _is_set(field.upper(), environ)


def _is_set(name: str, environ: dict[str, str]) -> bool:
    return name in environ or bool(name in BY_FILE and environ.get(f"{name}_FILE"))

"""The mapping file: whether it can be used, and what in it is likely a mistake."""

from collections.abc import Iterator

from config.mapping_file import load_mapping
from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.errors import ConfigError
from longshore.invocation.mapping import JqUnavailable


def check(context: CheckContext) -> Iterator[Finding]:
    """Loads it as the agent would."""
    path = context.settings.mapping_path
    try:
        mapping = load_mapping(context.settings)
    except ConfigError as error:
        yield broken(f"{error.variable}: {error.problem}", error.remedy)
        return
    except JqUnavailable as error:
        yield broken(f"expressions cannot be evaluated: {error}", "Give this machine more memory or processes")
        return
    mapping.close()
    count = len(mapping.deliveries)
    yield ok(f"{path or 'the built-in one'}, {count} {'entry' if count == 1 else 'entries'}")
    if path is not None and not count:
        yield warning("it has no entries, so nothing is ever delivered", "Add entries, or unset its variable")
    for text in mapping.warnings:
        yield warning(text, "Try it with `longshore mapping test`")

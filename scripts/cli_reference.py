"""docs/reference/cli.md, from the commands themselves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from longshore.cli.exit_codes import EXITS, MEANING, USAGE
from longshore.cli.lazy_commands import load_all
from longshore.cli.main import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"

INTRODUCTION = """\
# Commands

<!-- Written by `make reference` from longshore/cli; do not edit. -->

All commands take the same environment, see [settings](settings.md). Data goes to standard output, words to standard
error. `--json` is for scripts; without a terminal tables are lines of cells with tabs between. Whatever cannot be
undone asks first, and without a terminal does nothing unless `--yes` is given.

## Exit codes

| Code | Means, unless the command says otherwise |
| --- | --- |
"""


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION, *(f"| {code} | {meaning} |\n" for code, meaning in sorted(MEANING.items()))]
    for name, command in iterate_commands(load_all(app)):
        lines += format_section(name, command)
    return "".join(lines)


def iterate_commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, e.g. `dlq list`."""
    for name, command in group.commands.items():
        full_name = f"{prefix}{name}"
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield full_name, command
            yield from iterate_commands(command, f"{full_name} ")
        else:
            yield full_name, command


def format_section(name: str, command: Any) -> Iterator[str]:
    """One command: what it does, its arguments and options, its exit codes."""
    parameters = [
        parameter
        for parameter in command.params
        if not getattr(parameter, "hidden", False) and parameter.name != "help"
    ]
    arguments = [parameter for parameter in parameters if parameter.param_type_name == "argument"]
    usage = " ".join([f"longshore {name}", *map(_format_argument, arguments)])
    yield f"\n## longshore {name}\n\n```\n{usage}{' [OPTIONS]' if len(parameters) > len(arguments) else ''}\n```\n\n"
    yield f"{_strip_indent(command.callback.__doc__ or command.help)}\n"
    if parameters:
        yield "\n| Option | Means |\n| --- | --- |\n"
        yield from (f"| {_format_option(parameter)} | {_format_meaning(parameter)} |\n" for parameter in parameters)
    yield "\n| Exit code | Means |\n| --- | --- |\n"
    yield from (f"| {code} | {means} |\n" for code, means in sorted({**EXITS[name], USAGE: MEANING[USAGE]}.items()))


def _format_argument(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _format_option(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    both = [*parameter.opts, *parameter.secondary_opts]
    value = "" if parameter.is_flag else f" {parameter.name.upper().replace('_', '-')}"
    return ", ".join(f"`{option}{value}`" for option in both)


def _format_meaning(parameter: Any) -> str:
    option = parameter.param_type_name != "argument"
    default = "" if parameter.required or (option and parameter.is_flag) else parameter.default
    default_text = "" if default in (None, "", ()) or callable(default) else f" Default: {default}."
    required_text = " Required." if parameter.required and option else ""
    help_text = (parameter.help or "").replace("|", "\\|")
    return f"{help_text}{default_text}{required_text}"


def _strip_indent(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())

"""docs/reference/cli.md, from the commands themselves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from longshore.cli.exit_codes import EXITS, MEANING, USAGE
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
    for name, command in commands(typer.main.get_command(app)):
        lines += section(name, command)
    return "".join(lines)


def commands(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its whole name: a group that does something by itself comes before its own."""
    for name, command in group.commands.items():
        whole = f"{above}{name}"
        if not hasattr(command, "commands"):
            yield whole, command
            continue
        if getattr(command, "invoke_without_command", False):
            yield whole, command
        yield from commands(command, f"{whole} ")


def section(name: str, command: Any) -> Iterator[str]:
    """One command: what it does, its arguments and options, its exit codes."""
    parameters = [each for each in command.params if not getattr(each, "hidden", False) and each.name != "help"]
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    usage = " ".join([f"longshore {name}", *map(_place, arguments)])
    yield f"\n## longshore {name}\n\n```\n{usage}{' [OPTIONS]' if len(parameters) > len(arguments) else ''}\n```\n\n"
    yield f"{_plain(command.callback.__doc__ or command.help)}\n"
    if parameters:
        yield "\n| Option | Means |\n| --- | --- |\n"
        yield from (f"| {_spelt(each)} | {_meaning(each)} |\n" for each in parameters)
    yield "\n| Exit code | Means |\n| --- | --- |\n"
    yield from (f"| {code} | {means} |\n" for code, means in sorted({**EXITS[name], USAGE: MEANING[USAGE]}.items()))


def _place(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _spelt(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    both = [*parameter.opts, *parameter.secondary_opts]
    value = "" if parameter.is_flag else f" {parameter.name.upper().replace('_', '-')}"
    return ", ".join(f"`{each}{value}`" for each in both)


def _meaning(parameter: Any) -> str:
    option = parameter.param_type_name != "argument"
    default = "" if parameter.required or (option and parameter.is_flag) else parameter.default
    default_text = "" if default in (None, "", ()) or callable(default) else f" Default: {default}."
    needed = " Required." if parameter.required and option else ""
    words = (parameter.help or "").replace("|", "\\|")
    return f"{words}{default_text}{needed}"


def _plain(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())

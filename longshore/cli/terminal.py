"""Output of commands: tables for people, JSON for scripts, a question before anything that cannot be undone.

All that a command prints goes through here, so that no control character of a foreign text reaches a terminal.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from longshore.printable import printable

Item = TypeVar("Item")

_LAYOUT = "\n\t"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows on standard output: a table on a terminal, tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            print("\t".join(map(_format_cell, row)))
        return
    # Only here, as most commands print no table on a terminal.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rich_table = Table(box=None, pad_edge=False)
    for column in columns:
        rich_table.add_column(column, overflow="fold")
    for row in rows:
        rich_table.add_row(*(Text(_format_cell(cell)) for cell in row))
    Console().print(rich_table)


def print_json(value: Any) -> None:
    """Prints `value` as one JSON document."""
    print(_dump_json(value, indent=2))


def print_json_line(value: Any) -> None:
    """Prints `value` as JSON on one line."""
    print(_dump_json(value))


def print_lines(*texts: str) -> None:
    """Prints texts on standard output, each on a line of its own or several."""
    for text in texts:
        print(printable(text, _LAYOUT), flush=True)


def say(words: str) -> None:
    """Prints a message for people on standard error; standard output holds only data."""
    print(printable(words, _LAYOUT), file=sys.stderr, flush=True)


def show_progress(items: Iterable[Item], what: str, total: int | None) -> Iterable[Item]:
    """Iterates over `items` with a progress bar on standard error if that is a terminal; `total` None is unknown."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, what, total=total, console=console, transient=True)


def confirm(question: str, yes: bool) -> bool:
    """Whether to go on: `yes`, or the answer of a person. Without a terminal nobody can answer, so it is no."""
    if yes:
        return True
    if not sys.stdin.isatty():
        say(f"{question} Nobody can be asked here: give --yes.")
        return False
    import typer  # here, as programs print too, and parse no command line

    return typer.confirm(printable(question), err=True)


def format_time(ms: int) -> str:
    """A time in ms since 1970, in UTC to the second; empty for 0."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if ms else ""


def format_span(ms: float) -> str:
    """A duration in its largest fitting unit, e.g. `3 min`."""
    seconds = max(0.0, ms / 1000)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _format_cell(value: object) -> str:
    return "" if value is None else printable(str(value))


def _dump_json(value: Any, indent: int | None = None) -> str:
    # JSON escapes all control characters but one.
    return json.dumps(value, indent=indent, default=str).replace("\x7f", "\\u007f")

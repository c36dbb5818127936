"""`longshore shadow diff`: where what the original agent sent and what Longshore would send differ."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import FAILED

if TYPE_CHECKING:
    from longshore.operations.shadow.comparison import Comparison

_COUNTS = ("total", "alike", "explained", "different", "assumed", "unpaired", "own_calls", "sees_port")
MAX_ROWS = 1_000
"""Most differences that are printed; `--json` has them all."""


def diff(
    original: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="What one wrote, e.g. `shadow record`.")
    ],
    other: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What the other wrote, e.g. `shadow`.")],
    paired: Annotated[
        bool, typer.Option("--paired", help="Judge only what is in both files: they seldom begin and end together.")
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Show explained differences one by one, and not by their rows.")
    ] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Compare what was recorded with what Longshore would send, byte for byte and key for key.

    Says how many invocations are alike, and for each difference where it is and which row of the list of differences
    between the two agents explains it. Needs no settings.
    """
    from longshore.operations.shadow.answers import order_files, read_lines
    from longshore.operations.shadow.comparison import compare

    first, second = order_files(read_lines(original), read_lines(other))
    comparison = compare(first, second, only_pairs=paired)
    if as_json:
        terminal.print_json(_as_json(comparison))
    else:
        _print(comparison, show_all)
    if comparison.different or not comparison.total:
        raise typer.Exit(FAILED)


def _as_json(comparison: "Comparison") -> dict[str, Any]:
    return {
        **{name: getattr(comparison, name) for name in _COUNTS},
        "rows": dict(comparison.rows),
        "differences": [asdict(difference) for difference in comparison.differences],
    }


def _print(comparison: "Comparison", show_all: bool) -> None:
    from longshore.operations.shadow.explanations import ROWS

    good = comparison.alike + comparison.explained
    terminal.print_lines(f"{good} of {comparison.total} alike ({comparison.explained} with explained differences)")
    if not comparison.total:
        terminal.say("There is nothing to compare: the files have no invocation.")
    if not comparison.sees_port:
        terminal.say("The first file has no calls to Port: they were not compared.")
    if comparison.assumed:
        terminal.say(f"{comparison.assumed} have an assumed answer: their reports were not compared. Give --answers.")
    if comparison.unpaired:
        terminal.say(f"{comparison.unpaired} are in one file only, and were not judged.")
    differences = [each for each in comparison.differences if show_all or each.row is None]
    if differences:
        terminal.print_table(
            ("invocation", "where", "original", "longshore", "explained by"),
            [
                (each.invocation, each.where, _cell(each.original), _cell(each.shadow), each.row or "nothing")
                for each in differences[:MAX_ROWS]
            ],
        )
    if len(differences) > MAX_ROWS:
        terminal.say(f"{len(differences) - MAX_ROWS} more differences: --json has them all.")
    if comparison.rows:
        rows = sorted(comparison.rows.items(), key=lambda item: int(item[0][1:]))
        terminal.print_table(("row", "invocations", "says"), [(name, count, ROWS[name]) for name, count in rows])


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)

"""`longshore dlq`: dead letters and unknown outcomes: list, requeue, export, purge."""

from itertools import islice
from typing import Annotated

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import NOT_FOUND, REFUSED
from longshore.cli.filters import filtered
from longshore.cli.requeue import requeue
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.scan import Filter
from longshore.operations.find import count_invocations

commands = typer.Typer(no_args_is_help=True, help="Dead letters and unknown outcomes: list, requeue, export, purge.")

COLUMNS = ("ended", "id", "state", "reason", "status", "attempts", "kind", "target", "action")


@commands.command("list")
@filtered
def list_letters(
    filter: Filter,
    limit: Annotated[int, typer.Option(min=1, help="How many to list, newest first.")] = 50,
    counts: Annotated[bool, typer.Option("--counts", help="Count by reason instead of listing.")] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """List dead letters and unknown outcomes, the newest first."""
    access = options.connect()
    if counts:
        numbers = count_invocations(access, filter).most_common()
        if as_json:
            terminal.as_json([{"state": s, "reason": r, "count": n} for (s, r), n in numbers])
        else:
            terminal.table(("count", "state", "reason"), [(n, s, r) for (s, r), n in numbers])
        return
    shown = list(islice(access.invocations.find(filter), limit))
    if as_json:
        terminal.as_json([letter.as_dict() for letter in shown])
    else:
        terminal.table(COLUMNS, [_row(letter) for letter in shown])
        if len(shown) == limit:
            terminal.say(f"The newest {limit}; --limit shows more, --counts counts all.")


commands.command()(requeue)


@commands.command()
@filtered
def export(
    filter: Filter,
) -> None:
    """Print dead letters with their attempts, one JSON object per line. Payloads stay encrypted."""
    letters = options.connect().invocations
    total = None if filter.text else letters.count(filter).total()
    for letter, history in terminal.progress(letters.find_with_history(filter), "Exporting", total):
        terminal.as_json_line({**letter.as_dict(), "history": history})


@commands.command()
@filtered
def purge(
    filter: Filter,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids to purge.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that match the filter.")] = False,
    yes: Annotated[bool, options.YES] = False,
) -> None:
    """Delete dead letters and unknown outcomes. They cannot be restored."""
    if bool(ids) == everything:
        raise typer.BadParameter("give ids, or --all with a filter")
    letters = options.connect().invocations
    chosen = list(ids) if ids else [letter.id for letter in letters.find(filter)]
    if not chosen:
        terminal.say("No match.")
        raise typer.Exit(NOT_FOUND)
    if not terminal.confirmed(f"Delete {len(chosen)}? They cannot be restored.", yes):
        raise typer.Exit(REFUSED)
    gone = letters.purge(terminal.progress(chosen, "Deleting", len(chosen)))
    terminal.say(f"Deleted {gone}.")
    if not gone:
        raise typer.Exit(NOT_FOUND)


def _row(letter: InvocationRecord) -> tuple[object, ...]:
    return (
        terminal.moment(letter.ended_ms),
        letter.id,
        letter.state,
        letter.reason,
        letter.status,
        letter.attempts,
        letter.kind,
        letter.target,
        letter.action,
    )

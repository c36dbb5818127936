"""`longshore dlq`: dead letters and unknown outcomes: list, requeue, export, purge."""

from itertools import islice
from typing import Annotated

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import NOT_FOUND, REFUSED
from longshore.cli.filters import with_filter
from longshore.cli.requeue import requeue
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.scan import Filter
from longshore.operations.find import count_invocations

commands = typer.Typer(no_args_is_help=True)

COLUMNS = ("ended", "id", "state", "reason", "status", "attempts", "kind", "target", "action")


@commands.command("list")
@with_filter
def list_records(
    filter: Filter,
    limit: Annotated[int, typer.Option(min=1, help="How many to list, newest first.")] = 50,
    counts: Annotated[bool, typer.Option("--counts", help="Count by reason instead of listing.")] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """List dead letters and unknown outcomes, the newest first."""
    access = options.connect()
    if counts:
        counts_by_reason = count_invocations(access, filter).most_common()
        if as_json:
            terminal.print_json([{"state": s, "reason": r, "count": n} for (s, r), n in counts_by_reason])
        else:
            terminal.print_table(("count", "state", "reason"), [(n, s, r) for (s, r), n in counts_by_reason])
        return
    records = list(islice(access.invocations.find(filter), limit))
    if as_json:
        terminal.print_json([record.as_dict() for record in records])
    else:
        terminal.print_table(COLUMNS, [_format_row(record) for record in records])
        if len(records) == limit:
            terminal.say(f"The newest {limit}; --limit shows more, --counts counts all.")


commands.command()(requeue)


@commands.command()
@with_filter
def export(
    filter: Filter,
) -> None:
    """Print dead letters with their attempts, one JSON object per line. Payloads stay encrypted."""
    reader = options.connect().invocations
    total = None if filter.text else reader.count(filter).total()
    for record, history in terminal.show_progress(reader.find_with_history(filter), "Exporting", total):
        terminal.print_json_line({**record.as_dict(), "history": history})


@commands.command()
@with_filter
def purge(
    filter: Filter,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids to purge.")] = None,
    all_matching: Annotated[bool, typer.Option("--all", help="All that match the filter.")] = False,
    yes: Annotated[bool, options.YES] = False,
) -> None:
    """Delete dead letters and unknown outcomes. They cannot be restored."""
    if bool(ids) == all_matching:
        raise typer.BadParameter("give ids, or --all with a filter")
    reader = options.connect().invocations
    selected_ids = list(ids) if ids else [record.id for record in reader.find(filter)]
    if not selected_ids:
        terminal.say("No match.")
        raise typer.Exit(NOT_FOUND)
    if not terminal.confirm(f"Delete {len(selected_ids)}? They cannot be restored.", yes):
        raise typer.Exit(REFUSED)
    deleted_count = reader.purge(terminal.show_progress(selected_ids, "Deleting", len(selected_ids)))
    terminal.say(f"Deleted {deleted_count}.")
    if not deleted_count:
        raise typer.Exit(NOT_FOUND)


def _format_row(record: InvocationRecord) -> tuple[object, ...]:
    return (
        terminal.format_time(record.ended_ms),
        record.id,
        record.state,
        record.reason,
        record.status,
        record.attempts,
        record.kind,
        record.target,
        record.action,
    )

"""`longshore dlq requeue`: dead letters, unknown outcomes and, as a replay, what was delivered: sent again."""

from typing import Annotated

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import DONE, NOT_FOUND, REFUSED
from longshore.cli.filters import with_filter
from longshore.cli.jobs import watch_job
from longshore.ledger.requeue import OUTCOME_TEXT, REQUEUED, RequeueRequest
from longshore.ledger.scan import Filter
from longshore.operations.find import find_invocations
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.refusals import NotFound, TooMany
from longshore.operations.requeue import BY_REASON_ONLY, MAX_JOB, Selection, select, start_job
from longshore.operations.requeue import requeue as send_again


@with_filter
def requeue(
    filter: Filter,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids to requeue.")] = None,
    why: Annotated[str, typer.Option(help="Why it is sent again; kept in the history of each invocation.")] = "",
    all_matching: Annotated[bool, typer.Option("--all", help="All that match the filter, as a job.")] = False,
    cap: Annotated[int, typer.Option(min=1, help="Refuse a job of more invocations than this.")] = MAX_JOB,
    rate: Annotated[
        float, typer.Option(callback=options.parse_rate, help="Invocations per second; 0 for no limit.")
    ] = 50,
    canary: Annotated[int, typer.Option(min=0, help="How many to send first; the job stops if one of them fails.")] = 0,
    replay: Annotated[bool, typer.Option("--replay", help="Also invocations that were delivered.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be requeued.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for the job, showing its progress.")] = True,
    yes: Annotated[bool, options.YES] = False,
) -> None:
    """Send again: the given ids at once, or with --all all that match the filter, as a job.

    `bad_signature` is excluded from --all unless --reason asks for it.

    A job is carried out by the workers: it goes on when this command ends, and survives any crash.
    """
    if bool(ids) == all_matching:
        raise typer.BadParameter("give ids, or --all with a filter")
    if not why.strip() and not dry_run:
        raise typer.BadParameter("say why with --why: it is kept in the history of each")
    access = options.connect()
    request = RequeueRequest(options.resolve_actor(), why or "dry run", rate, canary, replay)
    if ids:
        raise typer.Exit(_requeue_ids(access, ids, request, dry_run))
    selection = select(access, filter)
    _print_selection(selection)
    _check_size(selection, cap)
    if dry_run:
        return
    if not terminal.confirm(f"Requeue {selection.total}?", yes):
        raise typer.Exit(REFUSED)
    job = start_job(
        access, selection, request, lambda records: terminal.show_progress(records, "Listing", selection.total)
    )  # fmt: skip
    terminal.say(f"Job {job.id}: {job.total} to requeue.")
    if wait:
        watch_job(access, job.id)


def _requeue_ids(access: LedgerAccess, ids: list[str], request: RequeueRequest, dry_run: bool) -> int:
    """The exit code: that of the first which was not sent."""
    code = DONE
    for id in ids:
        record = next(find_invocations(access, id), None)
        if record is None:
            terminal.say(f"{id}: no such invocation")
            code = NOT_FOUND
            continue
        ((_, outcome),) = send_again(access, [(record.id, record.generation)], request, dry_run=dry_run)
        prefix = "would be " if dry_run and outcome in REQUEUED else ""
        terminal.say(f"{record.id}: {prefix}{OUTCOME_TEXT[outcome]}")
        if outcome not in REQUEUED:
            code = code or REFUSED
    return code


def _print_selection(selection: Selection) -> None:
    terminal.print_table(("count", "state", "reason"), [(n, s, r) for (s, r), n in selection.counts.most_common()])
    if selection.excluded_count:
        terminal.say(
            f"{selection.excluded_count} {BY_REASON_ONLY} are excluded; --reason {BY_REASON_ONLY} requeues them."
        )  # fmt: skip


def _check_size(selection: Selection, cap: int) -> None:
    try:
        selection.check_size(cap)
    except NotFound:
        terminal.say("No match.")
        raise typer.Exit(NOT_FOUND) from None
    except TooMany as problem:
        terminal.say(f"{problem.total} are more than --cap {problem.cap}: nothing was requeued.")
        raise typer.Exit(REFUSED) from None

"""`longshore dlq`: dead letters and unknown outcomes, and sending them again. Exit codes: `exits.py`."""

import sys
import time
from dataclasses import asdict, replace
from itertools import islice
from typing import Annotated

import typer

from longshore.cli import operator, terminal
from longshore.cli.exits import FAILED, INTERRUPTED, NOT_FOUND, REFUSED
from longshore.cli.filters import filtered
from longshore.cli.operator import actor
from longshore.operations.ledger_access import LedgerAccess
from longshore.store import bulk
from longshore.store.letters import Letter
from longshore.store.requeue import BECAME, FINISHED, REQUEUED, Job, Order
from longshore.store.sift import Filter
from longshore.store.states import FAILED_STATES, JobState, State

commands = typer.Typer(no_args_is_help=True, help="Dead letters and unknown outcomes: look, send again, drop.")

COLUMNS = ("ended", "id", "state", "reason", "status", "attempts", "kind", "target", "action")


@commands.command("list")
@filtered
def list_letters(
    filter: Filter,
    limit: Annotated[int, typer.Option(min=1, help="Show so many, the newest first.")] = 50,
    counts: Annotated[bool, typer.Option("--counts", help="Count by reason instead of listing.")] = False,
    as_json: Annotated[bool, operator.JSON] = False,
) -> None:
    """List dead letters and unknown outcomes, the newest first."""
    letters = operator.connect().invocations
    if counts:
        found = letters.count(filter).most_common()
        if as_json:
            terminal.as_json([{"state": s, "reason": r, "count": n} for (s, r), n in found])
        else:
            terminal.table(("count", "state", "reason"), [(n, s, r) for (s, r), n in found])
        return
    shown = list(islice(letters.find(filter), limit))
    if as_json:
        terminal.as_json([letter.as_dict() for letter in shown])
    else:
        terminal.table(COLUMNS, [_row(letter) for letter in shown])
        if len(shown) == limit:
            terminal.say(f"The newest {limit}; --limit shows more, --counts counts all.")


@commands.command()
@filtered
def requeue(
    filter: Filter,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids to send again.")] = None,
    why: Annotated[str, typer.Option(help="Why; kept in the history of each.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All that the filter takes, as a job.")] = False,
    cap: Annotated[int, typer.Option(min=1, help="Refuse a job of more than so many.")] = 100_000,
    rate: Annotated[float, typer.Option(callback=operator.rate_of, help="Per second; 0 for no limit.")] = 50,
    canary: Annotated[int, typer.Option(min=0, help="So many first; stop if one of them fails.")] = 0,
    replay: Annotated[bool, typer.Option("--replay", help="Also what was delivered already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be sent.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for the job, showing how far it is.")] = True,
    yes: Annotated[bool, operator.YES] = False,
) -> None:
    """Send again: the given ids at once, or with --all everything that the filter takes, as a job.

    What has a bad signature is left out of --all unless --reason asks for it.

    A job is carried out by the workers: it goes on when this command ends, and survives any crash.
    """
    if bool(ids) == everything:
        raise typer.BadParameter("give ids, or --all with a filter")
    if not why.strip() and not dry_run:
        raise typer.BadParameter("say why with --why: it is kept in the history of each")
    agent = operator.connect()
    order = Order(actor(), why or "dry run", rate, canary, replay)
    if ids:
        raise typer.Exit(_requeue_ids(agent, ids, order, dry_run))
    # What ends from now on is not meant, and would move those that are under our eyes.
    filter = replace(filter, until_ms=filter.until_ms or agent.ledger.clock_ms())
    found = agent.invocations.count(filter)
    counts = bulk.meant(found, filter)
    total = counts.total()
    terminal.table(("count", "state", "reason"), [(n, s, r) for (s, r), n in counts.most_common()])
    if left := bulk.left_out(found, filter):
        terminal.say(f"{left} {bulk.BY_REASON_ONLY} are left out; --reason {bulk.BY_REASON_ONLY} sends those.")
    if not total:
        terminal.say("Nothing fits.")
        raise typer.Exit(NOT_FOUND)
    if total > cap:
        terminal.say(f"{total} are more than --cap {cap}: nothing was requeued.")
        raise typer.Exit(REFUSED)
    if dry_run:
        return
    if not terminal.confirmed(f"Send {total} again?", yes):
        raise typer.Exit(REFUSED)
    job = agent.requeue.start(terminal.progress(bulk.letters(agent.invocations, filter), "Listing", total), order)
    terminal.say(f"Job {job.id}: {job.total} to send again.")
    if wait:
        _follow(agent, job)


@commands.command()
def jobs(as_json: Annotated[bool, operator.JSON] = False) -> None:
    """List requeue jobs, the newest first."""
    found = operator.connect().requeue.jobs()
    if as_json:
        terminal.as_json([asdict(job) for job in found])
    else:
        columns = ("made", "job", "state", "started", "of", "by", "why")
        terminal.table(
            columns,
            [(terminal.moment(j.created_ms), j.id, j.state, j.started, j.total, j.actor, j.why) for j in found],
        )


@commands.command()
def pause(job: str) -> None:
    """Hold a requeue job where it is."""
    _existing(job)[0].requeue.pause(job)


@commands.command()
def resume(job: str, wait: Annotated[bool, typer.Option(help="Wait for the job.")] = True) -> None:
    """Go on with a paused job, or with one that its canary stopped."""
    agent, found = _existing(job)
    agent.requeue.resume(job)
    if wait:
        _follow(agent, found)


@commands.command()
@filtered
def export(
    filter: Filter,
) -> None:
    """Print letters with their attempts, one JSON object a line. Messages themselves stay sealed."""
    letters = operator.connect().invocations
    total = None if filter.text else letters.count(filter).total()
    for letter, history in terminal.progress(letters.told(filter), "Exporting", total):
        terminal.as_json_line({**letter.as_dict(), "history": history})


@commands.command()
@filtered
def purge(
    filter: Filter,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids to drop.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that the filter takes.")] = False,
    yes: Annotated[bool, operator.YES] = False,
) -> None:
    """Drop dead letters for good. They cannot be brought back."""
    if bool(ids) == everything:
        raise typer.BadParameter("give ids, or --all with a filter")
    letters = operator.connect().invocations
    chosen = list(ids) if ids else [letter.id for letter in letters.find(filter)]
    if not chosen:
        terminal.say("Nothing fits.")
        raise typer.Exit(NOT_FOUND)
    if not terminal.confirmed(f"Drop {len(chosen)} for good?", yes):
        raise typer.Exit(REFUSED)
    gone = letters.purge(terminal.progress(chosen, "Dropping", len(chosen)))
    terminal.say(f"Dropped {gone}.")
    if not gone:
        raise typer.Exit(NOT_FOUND)


def _requeue_ids(agent: LedgerAccess, ids: list[str], order: Order, dry_run: bool) -> int:
    code = 0
    for id in ids:
        # By name first: looking for what was refused under a run's name goes through all letters.
        itself = agent.invocations.get(id)
        found = [itself] if itself else agent.invocations.by_run(id)
        if not found:
            terminal.say(f"{id}: nothing of that id is known")
            code = NOT_FOUND
        for letter in found[:1]:
            became = _would(letter, order.replay) if dry_run else agent.requeue.one(letter, order)
            terminal.say(f"{letter.id}: {'would be ' if dry_run and became in REQUEUED else ''}{BECAME[became]}")
            if became not in REQUEUED:
                code = code or REFUSED
    return code


def _would(letter: Letter, replay: bool) -> str:
    if letter.state == State.DONE:
        return "requeued" if replay else "delivered"
    if letter.state not in FAILED_STATES:
        return "busy"
    return "requeued_closed" if letter.closed else "requeued"


def _follow(agent: LedgerAccess, job: Job) -> None:
    """Shows how far `job` is until it ends; Ctrl-C ends the showing, not the job."""
    shown = ""
    try:
        while (now := agent.requeue.job(job.id)) is not None:
            line = f"{now.state}: {now.started} of {now.total}"
            if line != shown:
                terminal.say(line)
            shown = line
            if now.state in (*FINISHED, JobState.PAUSED):
                break
            time.sleep(0.5)
    except KeyboardInterrupt:
        terminal.say(f"The job goes on; `longshore dlq jobs` shows it, `longshore dlq pause {job.id}` holds it.")
        sys.exit(INTERRUPTED)
    if now is None:
        return
    terminal.table(("count", "became"), [(n, BECAME[name]) for name, n in now.counts.items()])
    if now.state == JobState.STOPPED:
        terminal.say(
            f"Stopped: {now.canary_failed} of the canary failed. `longshore dlq resume {job.id}` sends the rest."
        )
        raise typer.Exit(FAILED)


def _existing(id: str) -> tuple[LedgerAccess, Job]:
    agent = operator.connect()
    job = agent.requeue.job(id)
    if job is None:
        terminal.say(f"There is no job {id}: `longshore dlq jobs` lists them.")
        raise typer.Exit(NOT_FOUND)
    return agent, job


def _row(letter: Letter) -> tuple[object, ...]:
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

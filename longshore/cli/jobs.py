"""`longshore jobs`: requeue jobs: list, pause, resume, and the progress of one."""

import sys
import time
from dataclasses import asdict
from typing import Annotated

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import FAILED, INTERRUPTED, NOT_FOUND
from longshore.ledger.requeue import FINISHED, OUTCOME_TEXT, RequeueJob
from longshore.ledger.states import JobState
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.refusals import Conflict, NotFound
from longshore.operations.steer import steer_job

POLL_S = 0.5
"""Between two looks at the progress of a job."""

JobId = Annotated[str, typer.Argument(help="Id of the job, see `longshore jobs list`.")]

commands = typer.Typer(no_args_is_help=True)

COLUMNS = ("created", "job", "state", "started", "total", "actor", "why")


@commands.command("list")
def list_jobs(as_json: Annotated[bool, options.JSON] = False) -> None:
    """List requeue jobs, newest first."""
    jobs = options.connect().requeue.jobs()
    if as_json:
        terminal.print_json([asdict(job) for job in jobs])
    else:
        terminal.print_table(
            COLUMNS,
            [(terminal.format_time(j.created_ms), j.id, j.state, j.started, j.total, j.actor, j.why) for j in jobs],
        )


@commands.command()
def pause(job: JobId) -> None:
    """Pause a requeue job: it sends no more until it is resumed."""
    _steer(options.connect(), job, "pause")


@commands.command()
def resume(
    job: JobId, wait: Annotated[bool, typer.Option(help="Wait for the job, showing its progress.")] = True
) -> None:
    """Resume a paused job, or one that its canary stopped."""
    access = options.connect()
    _steer(access, job, "resume")
    if wait:
        watch_job(access, job)


def watch_job(access: LedgerAccess, id: str) -> None:
    """Shows how far the job `id` is until it ends; Ctrl-C ends the showing, not the job."""
    last_line = ""
    try:
        while (job := access.requeue.job(id)) is not None:
            line = f"{job.state}: {job.started} of {job.total}"
            if line != last_line:
                terminal.say(line)
            last_line = line
            if job.state in (*FINISHED, JobState.PAUSED):
                break
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        terminal.say(f"The job goes on; `longshore jobs list` shows it, `longshore jobs pause {id}` pauses it.")
        sys.exit(INTERRUPTED)
    if job is not None:
        _print_end(job)


def _print_end(job: RequeueJob) -> None:
    terminal.print_table(
        ("count", "outcome"), [(count, OUTCOME_TEXT[outcome]) for outcome, count in job.counts.items()]
    )
    if job.state == JobState.STOPPED:
        terminal.say(
            f"Stopped: {job.canary_failed} of the canary failed. `longshore jobs resume {job.id}` sends the rest."
        )
        raise typer.Exit(FAILED)


def _steer(access: LedgerAccess, id: str, act: str) -> None:
    try:
        steer_job(access, id, act, options.resolve_actor())
    except NotFound:
        terminal.say(f"There is no job {id}: `longshore jobs list` lists them.")
        raise typer.Exit(NOT_FOUND) from None
    except Conflict:
        pass  # it is past that already: nothing is left to be done, which is no failure of a command in a script

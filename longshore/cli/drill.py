"""`longshore drill`: whether one's own staging loses nothing when a worker ends and a target is away."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import FAILED, INTERRUPTED, NOT_FOUND, REFUSED
from longshore.cli.start import start_command
from longshore.ledger.states import State
from longshore.operations.drill import Drill, DrillResult
from longshore.operations.drill_plan import Plan, plan_drill
from longshore.operations.ledger_access import open_ledger
from longshore.operations.refusals import NotFound, OperationRefused

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def drill(
    target: Annotated[str, typer.Argument(help="Target to pause, e.g. http://deployer.internal:8080.")],
    worker: Annotated[str, typer.Option(help="Worker to end, as Flower names it; without it, the first one.")] = "",
    pause: Annotated[float, typer.Option(min=1, help="Seconds for which the target is paused.")] = 30,
    minutes: Annotated[float, typer.Option(min=0.1, max=60, help="Give up after so long.")] = 10,
    as_json: Annotated[bool, options.JSON] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it. Without it, only say what would be done.")] = False,
) -> None:
    """Pause one target, end one worker, and watch until every invocation is accounted for. For your own staging.

    Without --yes nothing is changed. With it the target is resumed however the drill ends, also by Ctrl-C.
    """
    if pause > minutes * 60:
        raise typer.BadParameter("the pause is longer than --minutes", param_hint="--pause")
    settings = start_command()
    # Celery, which no other command loads.
    from tasks.celery.app import make_app
    from tasks.celery.remote_control import RemoteControl

    access, workers = open_ledger(settings), RemoteControl(make_app(settings))
    with _refusals():
        plan = plan_drill(access, workers, target, worker, pause, minutes * 60)
    terminal.say(_describe(plan, "would be" if not yes else "is to be"))
    if not yes:
        terminal.say("Nothing was changed: give --yes to do it.")
        if as_json:
            terminal.print_json({"plan": asdict(plan)})
        return
    received: list[int] = []
    for number in SIGNALS:
        # Kept, and looked at between steps: raised as an error it could cut off the step that resumes the target.
        signal.signal(number, lambda number, _: received.append(number))
    with _refusals():
        result = Drill(access, workers, plan, options.resolve_actor(), terminal.say, lambda: bool(received)).run()
    if result is None:
        terminal.say("Interrupted. Nothing more is done; `longshore audit` tells whether all is there.")
        raise typer.Exit(INTERRUPTED)
    if as_json:
        terminal.print_json({"plan": asdict(plan), **_as_json(result)})
    else:
        terminal.print_table(("what", "number"), list(_as_json(result).items()))
    terminal.say(_conclude(result))
    if not result.is_passed:
        raise typer.Exit(FAILED)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except OperationRefused as problem:
        terminal.say(f"No drill: {problem}.")
        raise typer.Exit(NOT_FOUND if isinstance(problem, NotFound) else REFUSED) from None


def _describe(plan: Plan, would: str) -> str:
    emptiness = "" if plan.under_way else " Nothing is under way now: a drill without traffic proves little."
    return (
        f"{plan.target} {would} paused for {plan.pause_s:g} s; {plan.at_target} of its invocations are under way, "
        f"{plan.under_way} in all.\n"
        f"{plan.worker} {would} ended, one of {plan.alive} workers.{emptiness}"
    )


def _as_json(result: DrillResult) -> dict[str, Any]:
    return {
        "passed": result.is_passed,
        "accepted in all": result.balance.accepted,
        "lost": result.lost,
        "were under way": result.watched,
        "unknown outcomes": result.states[State.UNKNOWN],
        "dead letters": result.states[State.DEAD],
        "still waiting": dict(result.waiting),
        "worker gone after s": _round(result.worker_gone_s),
        "recovered after s": _round(result.recovery_s),
    }


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _conclude(result: DrillResult) -> str:
    if result.lost:
        return f"{result.lost} are lost or in no place, see `longshore audit`."
    if result.worker_gone_s is None:
        return "Nothing is lost, but the worker did not end in time."
    if result.recovery_s is None:
        return f"Nothing is lost, but not all has ended in time: {dict(result.waiting)}."
    return f"All {result.balance.accepted} are accounted for, 0 lost."

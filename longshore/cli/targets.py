"""`longshore targets`: what waits for each target, and an operator's control of it."""

import time
from dataclasses import asdict
from typing import Annotated

import typer

from longshore.cli import options, terminal
from longshore.ledger.breaker import BreakerStatus
from longshore.ledger.target_control import TargetControl
from longshore.ledger.target_status import TargetStatus
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.refusals import Invalid
from longshore.operations.steer import TargetLimits, steer_target

commands = typer.Typer(no_args_is_help=True)

TargetName = Annotated[str, typer.Argument(help="Target, e.g. http://deployer.internal:8080.")]
Action = Annotated[str, typer.Option("--action", help="Only the lane of this action.")]

RATE = typer.Option(callback=options.parse_rate, help="Starts per second; 0 for no limit.")

COLUMNS = ("target", "action", "waiting", "in flight", "oldest", "breaker", "limits")


@commands.command("list")
def list_targets(as_json: Annotated[bool, options.JSON] = False) -> None:
    """List targets and lanes with what waits, and what holds them back."""
    lines = list(options.connect().targets.statuses())
    if as_json:
        terminal.print_json([asdict(line) for line in lines])
    else:
        terminal.print_table(COLUMNS, [_format_row(line) for line in lines])


@commands.command()
def pause(target: TargetName, action: Action = "") -> None:
    """Start no attempts for it until it is resumed. Those in flight end."""
    access = options.connect()
    _steer(access, target, action, "pause")
    terminal.say(f"{_format_name(target, action)} is paused.")
    if not any(line.waiting or line.in_flight for line in access.targets.statuses([target])):
        terminal.say(f"{target} has no invocations now; `longshore targets list` shows the names.")


@commands.command()
def resume(target: TargetName, action: Action = "") -> None:
    """Start attempts again, and close its breaker."""
    _steer(options.connect(), target, action, "resume")
    terminal.say(f"{_format_name(target, action)} is resumed.")


@commands.command()
def limit(
    target: TargetName,
    action: Action = "",
    rate: Annotated[float | None, RATE] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Max requests in flight.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove the limits set here before.")] = False,
) -> None:
    """Limit a target, or with --action the requests in flight of one lane. Holds for the whole fleet, from now on."""
    if not clear and rate is None and concurrency is None:
        raise typer.BadParameter("give --rate, --concurrency or --clear")
    if action and rate is not None:
        raise typer.BadParameter("a rate is a target's; a lane has --concurrency only")
    limits: TargetLimits = {}
    if clear or rate is not None:
        limits["rate"] = None if clear else rate
    if clear or concurrency is not None:
        limits["concurrency"] = None if clear else concurrency
    control = _steer(options.connect(), target, action, "limit", limits)
    terminal.say(f"{_format_name(target, action)}: {_format_limits(control) or 'limits of the settings'}.")


def _steer(
    access: LedgerAccess, target: str, action: str, act: str, limits: TargetLimits | None = None
) -> TargetControl:
    try:
        return steer_target(access, target, action, act, options.resolve_actor(), limits)
    except Invalid as problem:
        raise typer.BadParameter(str(problem)) from None


def _format_name(target: str, action: str) -> str:
    return f"{target} {action}" if action else target


def _format_row(line: TargetStatus) -> tuple[object, ...]:
    now_ms = time.time() * 1000
    late = terminal.format_span(now_ms - line.oldest_due_ms) if 0 < line.oldest_due_ms < now_ms else ""
    breaker = line.breaker.value
    if line.breaker is BreakerStatus.OPEN:
        breaker = f"open for {terminal.format_span(line.open_until_ms - now_ms)}"
    action = line.lane.removeprefix(line.target)[1:]
    return (
        line.target,
        action,
        f"{line.waiting} ({line.awaiting_turn} in order)" if line.awaiting_turn else line.waiting,
        line.in_flight,
        late,
        breaker,
        _format_limits(line.control) or _format_limits(line.mapping),
    )


def _format_limits(control: TargetControl) -> str:
    limits = ["paused"] if control.paused else []
    if control.rate is not None:
        limits.append(f"{control.rate:g}/s")
    if control.concurrency is not None:
        limits.append(f"{control.concurrency} at once")
    return ", ".join(limits)

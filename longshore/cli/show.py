"""`longshore show RUN_ID`: everything the ledger knows of one invocation, as one timeline."""

import shlex
import time
from dataclasses import asdict
from typing import Annotated

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import NOT_FOUND
from longshore.ledger.states import FAILED_STATES, State
from longshore.operations.explain import (
    AttemptEvent,
    Event,
    Explanation,
    RequeueEvent,
    SealedEvent,
    explain,
)
from longshore.operations.find import find_invocations


def show(
    run_id: Annotated[str, typer.Argument(help="Port's run id, or the id of a change log event.")],
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Show one invocation: where it came from, what was tried, what came of it, what happens next."""
    access = options.connect()
    explanations = [explain(access, record) for record in find_invocations(access, run_id)]
    if not explanations:
        terminal.say(f"Nothing is known of {run_id}: never accepted, delivered long ago, or another agent's.")
        raise typer.Exit(NOT_FOUND)
    if as_json:
        terminal.print_json(
            [
                {
                    **each.record.as_dict(),
                    "cause": _format_cause(each),
                    "turn": each.turn and asdict(each.turn),
                    "held_back": each.held_back and asdict(each.held_back),
                    "history": each.history,
                }
                for each in explanations
            ]
        )
        return
    for explanation in explanations:
        terminal.print_lines(*format_timeline(explanation))


def format_timeline(explanation: Explanation) -> list[str]:
    """The timeline of one invocation for people."""
    record = explanation.record
    timeline = [
        f"{record.id}  {record.kind}{', synchronous' if record.synchronized else ''}",
        f"  state       {record.state}{f' ({record.reason})' if record.reason else ''}"
        f"{f', HTTP {record.status}' if record.status else ''}",
        f"  target      {record.target}  action {record.action}",
        f"  from        {record.origin}, published {terminal.format_time(record.published_ms)}",
        f"  accepted    {terminal.format_time(record.accepted_ms)}, generation {record.generation}",
        f"  mapping     {record.mapping}",
    ]
    timeline += [f"  {_format_event(event)}" for event in explanation.events]
    if cause := _format_cause(explanation):
        timeline.append(f"  cause       {cause}")
    if record.ended_ms:
        timeline.append(f"  ended       {terminal.format_time(record.ended_ms)}")
    timeline.append(f"  next        {_describe_next(explanation)}")
    return timeline


def _format_cause(explanation: Explanation) -> str:
    # While it is tried again, its attempts say why.
    return explanation.cause if explanation.record.state in FAILED_STATES else ""


def _format_event(event: Event) -> str:
    match event:
        case RequeueEvent():
            return f"requeued    by {event.by} at {terminal.format_time(event.at_ms)}: {event.why}"
        case SealedEvent():
            return f"unreadable  {event.problem}"
        case AttemptEvent():
            response = f"\n              answered: {event.response[:500]}" if event.response else ""
            at = f"{terminal.format_time(event.at_ms)}  " if event.at_ms else ""
            return (
                f"attempt {event.generation}.{event.number}  {at}{event.reason}: {event.cause} "
                f"({event.duration_ms:g} ms{'' if event.sent else ', nothing was sent'}){response}"
            )


def _describe_next(explanation: Explanation) -> str:
    record = explanation.record
    if explanation.wait:
        return f"waits {explanation.wait}"
    ago = terminal.format_span(time.time() * 1000 - record.accepted_ms)
    return {
        State.HELD: "is held until Port has acknowledged that it is ours; then it is delivered",
        State.WAITING: f"waits in its lane, {ago} since it was accepted",
        State.CLAIMED: "is on its way to a worker",
        State.BEGUN: "is being sent",
        State.DONE: "nothing: delivered",
    }.get(record.state, f"nothing by itself; `longshore dlq requeue {shlex.quote(record.id)} --why ...` sends it again")

"""`longshore show RUN_ID`: everything the ledger knows of one invocation, as one timeline."""

import shlex
import time
from typing import Annotated

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import NOT_FOUND
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.states import FAILED_STATES, State
from longshore.operations.explain import AttemptEvent, Event, Explanation, RequeueEvent, SealedEvent, explain
from longshore.operations.find import find


def show(
    run_id: Annotated[str, typer.Argument(help="Port's run id, or the id of a change log event.")],
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Show one invocation: where it came from, what was tried, what came of it, what happens next."""
    access = options.connect()
    explanations = [explain(access, letter) for letter in find(access, run_id)]
    if not explanations:
        terminal.say(f"Nothing is known of {run_id}: never accepted, delivered long ago, or another agent's.")
        raise typer.Exit(NOT_FOUND)
    if as_json:
        terminal.as_json(
            [{**each.letter.as_dict(), "cause": _cause(each), "history": each.history} for each in explanations]
        )
        return
    for explanation in explanations:
        terminal.lines(*lines(explanation))


def lines(explanation: Explanation) -> list[str]:
    """The timeline of one invocation for people."""
    letter = explanation.letter
    timeline = [
        f"{letter.id}  {letter.kind}{', synchronous' if letter.synchronized else ''}",
        f"  state       {letter.state}{f' ({letter.reason})' if letter.reason else ''}"
        f"{f', HTTP {letter.status}' if letter.status else ''}",
        f"  target      {letter.target}  action {letter.action}",
        f"  from        {letter.origin}, published {terminal.moment(letter.published_ms)}",
        f"  accepted    {terminal.moment(letter.accepted_ms)}, generation {letter.generation}",
        f"  mapping     {letter.mapping}",
    ]
    timeline += [f"  {_event(event)}" for event in explanation.events]
    if cause := _cause(explanation):
        timeline.append(f"  cause       {cause}")
    if letter.ended_ms:
        timeline.append(f"  ended       {terminal.moment(letter.ended_ms)}")
    timeline.append(f"  next        {_next(letter)}")
    return timeline


def _cause(explanation: Explanation) -> str:
    # While it is tried again, its attempts say why.
    return explanation.cause if explanation.letter.state in FAILED_STATES else ""


def _event(event: Event) -> str:
    match event:
        case RequeueEvent():
            return f"requeued    by {event.actor} at {terminal.moment(event.at_ms)}: {event.why}"
        case SealedEvent():
            return f"unreadable  {event.problem}"
        case AttemptEvent():
            response = f"\n              answered: {event.response[:500]}" if event.response else ""
            at = f"{terminal.moment(event.at_ms)}  " if event.at_ms else ""
            return (
                f"attempt {event.generation}.{event.number}  {at}{event.reason}: {event.cause} "
                f"({event.duration_ms:g} ms{'' if event.sent else ', nothing was sent'}){response}"
            )


def _next(letter: InvocationRecord) -> str:
    ago = terminal.span(time.time() * 1000 - letter.accepted_ms)
    return {
        State.WAITING: f"waits in its lane, {ago} since it was accepted",
        State.CLAIMED: "is on its way to a worker",
        State.BEGUN: "is being sent",
        State.DONE: "nothing: delivered",
    }.get(letter.state, f"nothing by itself; `longshore dlq requeue {shlex.quote(letter.id)} --why ...` sends it again")

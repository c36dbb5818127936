"""`longshore show RUN_ID`: everything the ledger knows of one invocation, as one timeline."""

import shlex
import time
from typing import Annotated, Any

import typer

from longshore.cli import operator, terminal
from longshore.cli.exits import NOT_FOUND
from longshore.store.letters import Letter
from longshore.store.reasons import CAUSES
from longshore.store.states import FAILED_STATES, State


def show(
    run_id: Annotated[str, typer.Argument(help="Port's run id, or the id of a change log event.")],
    as_json: Annotated[bool, operator.JSON] = False,
) -> None:
    """Show one invocation: where it came from, what was tried, what came of it, what happens next."""
    invocations = operator.connect().invocations
    found = invocations.by_run(run_id)
    if not found:
        terminal.say(f"Nothing is known of {run_id}: never accepted, delivered long ago, or another agent's.")
        raise typer.Exit(NOT_FOUND)
    stories = [(letter, invocations.history(letter.id)) for letter in found]
    if as_json:
        terminal.as_json(
            [{**letter.as_dict(), "cause": _cause(letter, told), "history": told} for letter, told in stories]
        )
        return
    for letter, history in stories:
        terminal.lines(*lines(letter, history))


def lines(letter: Letter, history: list[dict[str, Any]]) -> list[str]:
    """The timeline of one invocation for people."""
    told = [
        f"{letter.id}  {letter.kind}{', synchronous' if letter.synchronized else ''}",
        f"  state       {letter.state}{f' ({letter.reason})' if letter.reason else ''}"
        f"{f', HTTP {letter.status}' if letter.status else ''}",
        f"  target      {letter.target}  action {letter.action}",
        f"  from        {letter.origin}, published {terminal.moment(letter.published_ms)}",
        f"  accepted    {terminal.moment(letter.accepted_ms)}, generation {letter.generation}",
        f"  mapping     {letter.mapping}",
    ]
    told += [f"  {_event(event)}" for event in history]
    if cause := _cause(letter, history):
        told.append(f"  cause       {cause}")
    if letter.ended_ms:
        told.append(f"  ended       {terminal.moment(letter.ended_ms)}")
    told.append(f"  next        {_next(letter)}")
    return told


def _cause(letter: Letter, history: list[dict[str, Any]]) -> str:
    """Why it ended as it did, in words; that of its last attempt, unless it ended without one."""
    if letter.state not in FAILED_STATES:
        return ""
    last: dict[str, Any] = next((event for event in reversed(history) if "attempt" in event), {})
    return str(last["cause"]) if last.get("reason") == letter.reason else CAUSES.get(letter.reason, "")


def _event(event: dict[str, Any]) -> str:
    if "requeued_by" in event:
        return f"requeued    by {event['requeued_by']} at {terminal.moment(round(event['at'] * 1000))}: {event['why']}"
    if "unreadable" in event:
        return f"unreadable  {event['unreadable']}"
    answer = f"\n              answered: {event['response'][:500]}" if event.get("response") else ""
    at = f"{terminal.moment(round(event['at'] * 1000))}  " if event.get("at") else ""
    return (
        f"attempt {event['generation']}.{event['attempt']}  {at}{event['reason']}: {event['cause']} "
        f"({event['duration_ms']:g} ms{'' if event['sent'] else ', nothing was sent'}){answer}"
    )


def _next(letter: Letter) -> str:
    ago = terminal.span(time.time() * 1000 - letter.accepted_ms)
    return {
        State.WAITING: f"waits in its lane, {ago} since it was accepted",
        State.CLAIMED: "is on its way to a worker",
        State.BEGUN: "is being sent",
        State.DONE: "nothing: delivered",
    }.get(letter.state, f"nothing by itself; `longshore dlq requeue {shlex.quote(letter.id)} --why ...` sends it again")

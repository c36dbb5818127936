"""Everything known of one invocation, in the order it happened and in plain words: for its page and for the API."""

from itertools import islice
from typing import Any

from longshore.dashboard import formatting
from longshore.dashboard.context import DashboardContext
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.states import FINAL_STATES, State
from longshore.operations.explain import AttemptEvent, Event, Explanation, RequeueEvent, SealedEvent, explain
from longshore.operations.find import find

NEXT = {
    State.HELD: "Waits for Port's acknowledgement.",
    State.WAITING: "Waits for its turn; it is sent by itself.",
    State.CLAIMED: "Is on its way to a worker.",
    State.BEGUN: "Is being sent.",
    State.DONE: "Nothing: it was delivered.",
    State.DEAD: "Nothing by itself. Requeue it once the cause is gone.",
    State.UNKNOWN: (
        "Nothing by itself. It was sent and may have been acted on: look at the target before requeueing it."
    ),
}

MAX_OTHERS = 20
"""Shown beside an invocation of what was refused under its run id: anybody who may write to the topic can make more."""


def named(agent: DashboardContext, name: str) -> list[InvocationRecord]:
    """The invocations that go by `name`, itself first; for a page that refreshes itself."""
    return list(islice(find(agent.access, name, search_all=False), 1 + MAX_OTHERS))


def facts(agent: DashboardContext, letter: InvocationRecord, whole: bool = False) -> dict[str, Any]:
    """All of `letter`, with its history opened; `whole` for programs, otherwise long texts are cut for a page."""
    explanation = explain(agent.access, letter)
    return {
        **clear(letter),
        "cause": explanation.cause,
        "next": NEXT.get(letter.state, ""),
        "history": explanation.history,
        "timeline": timeline(explanation),
        "request": request(agent, letter, whole),
    }


def clear(letter: InvocationRecord) -> dict[str, Any]:
    """What stands in clear, as JSON."""
    return {
        **letter.as_dict(),
        "action": letter.action,
        "published": formatting.iso(letter.published_ms),
        "accepted": formatting.iso(letter.accepted_ms),
        "ended": formatting.iso(letter.ended_ms),
    }


def timeline(explanation: Explanation) -> list[dict[str, Any]]:
    """What happened, oldest first: `what`, `at_ms` (0 where it was not kept), `text`, and a `mood` for its colour."""
    letter = explanation.letter
    events = [
        {"what": "Published", "at_ms": letter.published_ms, "text": letter.origin, "mood": ""},
        *(_event(event) for event in explanation.events),
    ]
    accepted = {"what": "Accepted", "at_ms": letter.accepted_ms, "text": f"for {letter.target or '-'}", "mood": ""}
    if letter.generation == 1:
        events.insert(1, accepted)
    if letter.state in FINAL_STATES and letter.ended_ms:
        what = {State.DONE: "Delivered", State.DEAD: "Given up", State.UNKNOWN: "Outcome unknown"}[letter.state]
        mood = {State.DONE: "success", State.DEAD: "danger", State.UNKNOWN: "warning"}[letter.state]
        events.append(
            {
                "what": what,
                "at_ms": letter.ended_ms,
                "text": "" if letter.state == State.DONE else formatting.words(letter.reason),
                "mood": mood,
            }
        )
    return events


def request(agent: DashboardContext, letter: InvocationRecord, whole: bool) -> dict[str, Any]:
    """The request it would become now, or why that cannot be told."""
    if not agent.has_secret:
        return {"problem": "Flower was started without PORT_CLIENT_SECRET, so what is sealed cannot be shown."}
    built = agent.requests.preview(agent.access.invocations, letter)
    body = built.get("body")
    if not whole and body is not None:
        built["body"] = body[: formatting.LONGEST + 1]
        built["size"] = len(body)
    return built


def _event(event: Event) -> dict[str, Any]:
    match event:
        case RequeueEvent():
            what = "Replayed" if event.replay else "Requeued"
            return {"what": what, "at_ms": event.at_ms, "text": f"by {event.actor}: {event.why}", "mood": "active"}
        case SealedEvent():
            return {"what": "Sealed", "at_ms": 0, "text": event.problem, "mood": ""}
        case AttemptEvent():
            generation = f" of generation {event.generation}" if event.generation > 1 else ""
            return {
                "what": f"Attempt {event.number}{generation}",
                "at_ms": event.at_ms,
                "text": event.cause,
                "mood": "success" if event.reason == "delivered" else "danger",
                "reason": event.reason,
                "status": event.status,
                "sent": event.sent,
                "duration_ms": event.duration_ms,
                "response": event.response,
            }

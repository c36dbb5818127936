"""The view of one invocation for its page and for the API: its fields, timeline, next step and request."""

from dataclasses import asdict
from itertools import islice
from typing import Any

from longshore.dashboard import formatting
from longshore.dashboard.context import DashboardContext
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.states import FINAL_STATES, State
from longshore.operations.explain import (
    AttemptEvent,
    Event,
    Explanation,
    RequeueEvent,
    SealedEvent,
    explain,
)
from longshore.operations.find import find_invocations

NEXT_STEPS = {
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

MAX_OTHER_RECORDS = 20
"""Most refused records shown under an invocation's run id: anybody who may write to the topic can produce more."""


def find_records(context: DashboardContext, name: str) -> list[InvocationRecord]:
    """The records that `name` identifies, the invocation itself first; cheap enough for a page that refreshes."""
    return list(islice(find_invocations(context.access, name, search_all=False), 1 + MAX_OTHER_RECORDS))


def build_view(context: DashboardContext, record: InvocationRecord, full: bool = False) -> dict[str, Any]:
    """All of `record`, with its history unsealed. `full` is for programs; otherwise the body is cut for a page."""
    explanation = explain(context.access, record)
    return {
        **record_as_json(record),
        "cause": explanation.cause,
        "next": f"Waits {explanation.wait}." if explanation.wait else NEXT_STEPS.get(record.state, ""),
        "turn": explanation.turn and asdict(explanation.turn),
        "held_back": explanation.held_back and asdict(explanation.held_back),
        "history": explanation.history,
        "timeline": build_timeline(explanation),
        "request": preview_request(context, record, full),
    }


def record_as_json(record: InvocationRecord) -> dict[str, Any]:
    """The fields of `record` that are not sealed, as JSON."""
    return {
        **record.as_dict(),
        "action": record.action,
        "published": formatting.format_iso(record.published_ms),
        "accepted": formatting.format_iso(record.accepted_ms),
        "ended": formatting.format_iso(record.ended_ms),
    }


def build_timeline(explanation: Explanation) -> list[dict[str, Any]]:
    """What happened, oldest first: `what`, `at_ms` (0 if not stored), `text`, and `mood` (a Bootstrap color)."""
    record = explanation.record
    events = [
        {"what": "Published", "at_ms": record.published_ms, "text": record.origin, "mood": ""},
        *(_event(event) for event in explanation.events),
    ]
    accepted_event = {
        "what": "Accepted",
        "at_ms": record.accepted_ms,
        "text": f"for {record.target or '-'}",
        "mood": "",
    }
    if record.generation == 1:
        events.insert(1, accepted_event)
    if record.state in FINAL_STATES and record.ended_ms:
        title = {State.DONE: "Delivered", State.DEAD: "Given up", State.UNKNOWN: "Outcome unknown"}[record.state]
        color = {State.DONE: "success", State.DEAD: "danger", State.UNKNOWN: "warning"}[record.state]
        events.append(
            {
                "what": title,
                "at_ms": record.ended_ms,
                "text": "" if record.state == State.DONE else formatting.format_code(record.reason),
                "mood": color,
            }
        )
    return events


def preview_request(context: DashboardContext, record: InvocationRecord, full: bool) -> dict[str, Any]:
    """The request that it would be sent as now, or the `problem` that prevents the preview."""
    if not context.has_secret:
        return {"problem": "Flower was started without PORT_CLIENT_SECRET, so sealed data cannot be shown."}
    preview = context.previews.preview(context.access.invocations, record)
    body = preview.get("body")
    if not full and body is not None:
        preview["body"] = body[: formatting.MAX_CHARS + 1]
        preview["size"] = len(body)
    return preview


def _event(event: Event) -> dict[str, Any]:
    match event:
        case RequeueEvent():
            title = "Replayed" if event.replay else "Requeued"
            return {"what": title, "at_ms": event.at_ms, "text": f"by {event.by}: {event.why}", "mood": "active"}
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

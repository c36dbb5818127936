"""Everything known of one invocation, in the order it happened and in plain words: for its page and for the API."""

from typing import Any

from longshore.dashboard import shown
from longshore.dashboard.agent import Agent
from longshore.invocation import ids
from longshore.store.letters import Letter
from longshore.store.reasons import CAUSES
from longshore.store.states import FINAL_STATES, State

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


def found(agent: Agent, name: str) -> list[Letter]:
    """The invocations that go by `name`: a run id, an id of ours, or Celery's id of either; itself first."""
    plain = name.partition("~")[0]
    letters: dict[str, Letter] = {}
    for id in dict.fromkeys((name, ids.run_id(name), plain)):
        if (letter := agent.access.invocations.get(id)) is not None:
            letters.setdefault(letter.id, letter)
            break
    run = next((letter.run for letter in letters.values() if letter.run), name)
    for letter in agent.access.pages.of_run(run, everywhere=not letters):
        letters.setdefault(letter.id, letter)
    return list(letters.values())


def facts(agent: Agent, letter: Letter, whole: bool = False) -> dict[str, Any]:
    """All of `letter`, with its history opened; `whole` for programs, otherwise long texts are cut for a page."""
    history = agent.access.invocations.history(letter.id)
    attempts = [event for event in history if "requeued_by" not in event]
    return {
        **clear(letter),
        "cause": cause(letter, attempts),
        "next": NEXT.get(letter.state, ""),
        "history": history,
        "timeline": timeline(letter, history),
        "request": request(agent, letter, whole),
    }


def clear(letter: Letter) -> dict[str, Any]:
    """What stands in clear, as JSON."""
    return {
        **letter.as_dict(),
        "action": letter.action,
        "published": shown.iso(letter.published_ms),
        "accepted": shown.iso(letter.accepted_ms),
        "ended": shown.iso(letter.ended_ms),
    }


def cause(letter: Letter, attempts: list[dict[str, Any]]) -> str:
    """Why it stands where it does, in a sentence; empty if nothing has gone wrong."""
    last = attempts[-1] if attempts else {}
    if letter.state == State.DONE or not letter.reason:
        return ""
    if last.get("cause") and last.get("reason") == letter.reason:
        return str(last["cause"])
    return CAUSES.get(letter.reason, shown.words(letter.reason))


def timeline(letter: Letter, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What happened, oldest first: `what`, `at_ms` (0 where it was not kept), `text`, and a `mood` for its colour."""
    events = [
        {"what": "Published", "at_ms": letter.published_ms, "text": letter.origin, "mood": ""},
        *(_event(event) for event in history),
    ]
    accepted = {"what": "Accepted", "at_ms": letter.accepted_ms, "text": f"for {letter.target or '-'}", "mood": ""}
    if letter.generation == 1:
        events.insert(1, accepted)
    if letter.state in FINAL_STATES and letter.ended_ms:
        told = {State.DONE: "Delivered", State.DEAD: "Given up", State.UNKNOWN: "Outcome unknown"}[letter.state]
        mood = {State.DONE: "success", State.DEAD: "danger", State.UNKNOWN: "warning"}[letter.state]
        events.append(
            {
                "what": told,
                "at_ms": letter.ended_ms,
                "text": "" if letter.state == State.DONE else shown.words(letter.reason),
                "mood": mood,
            }
        )
    return events


def request(agent: Agent, letter: Letter, whole: bool) -> dict[str, Any]:
    """The request it would become now, or why that cannot be told."""
    if not agent.has_secret:
        return {"problem": "Flower was started without PORT_CLIENT_SECRET, so what is sealed cannot be shown."}
    built = agent.requests.preview(agent.access.invocations, letter)
    body = built.get("body")
    if not whole and body is not None:
        built["body"] = body[: shown.LONGEST + 1]
        built["size"] = len(body)
    return built


def _event(event: dict[str, Any]) -> dict[str, Any]:
    at_ms = round(event["at"] * 1000) if event.get("at") else 0
    if "requeued_by" in event:
        what = "Replayed" if event.get("replay") else "Requeued"
        return {"what": what, "at_ms": at_ms, "text": f"by {event['requeued_by']}: {event['why']}", "mood": "active"}
    if "unreadable" in event:
        return {"what": "Sealed", "at_ms": 0, "text": event["unreadable"], "mood": ""}
    generation = f" of generation {event['generation']}" if event["generation"] > 1 else ""
    return {
        "what": f"Attempt {event['attempt']}{generation}",
        "at_ms": at_ms,
        "text": event["cause"],
        "mood": "success" if event["reason"] == "delivered" else "danger",
        "reason": event["reason"],
        "status": event["status"],
        "sent": event["sent"],
        "duration_ms": event["duration_ms"],
        "response": event["response"],
    }

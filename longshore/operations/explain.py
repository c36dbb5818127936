"""Everything the ledger knows of one invocation: its history, and the cause of its state."""

from dataclasses import dataclass
from typing import Any

from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.order import Turn
from longshore.ledger.reasons import CAUSES
from longshore.ledger.states import State
from longshore.ledger.target_control import Hold
from longshore.operations.ledger_access import LedgerAccess


@dataclass(frozen=True, slots=True)
class AttemptEvent:
    """One HTTP request that was made, or that could not be."""

    at_ms: int
    """When it began, in ms since 1970; 0 where it was not kept."""
    generation: int
    number: int
    """Of its generation, from 1."""
    reason: str
    """`delivered`, or a reason code."""
    cause: str
    """The same in words."""
    status: int | None
    """Of the HTTP response, if there was one."""
    sent: bool
    """False only if the request provably never left us."""
    duration_ms: float
    response: str | None
    """The beginning of the response's body, masked."""


@dataclass(frozen=True, slots=True)
class RequeueEvent:
    """An operator requeued or replayed it."""

    at_ms: int
    actor: str
    why: str
    replay: bool
    """Whether delivered invocations were requeued too."""
    role: str = ""
    """As what they acted in Flower; empty elsewhere."""

    @property
    def by(self) -> str:
        """Who it was, and as what."""
        return f"{self.actor} ({self.role})" if self.role else self.actor


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """An entry that this process cannot decrypt."""

    problem: str


Event = AttemptEvent | RequeueEvent | SealedEvent


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What lets nothing new start at the target of an invocation that waits, or at its lane."""

    name: str
    """The target or the lane."""
    hold: Hold


@dataclass(frozen=True, slots=True)
class Explanation:
    """One invocation with its history and the cause of its state."""

    record: InvocationRecord
    history: list[dict[str, Any]]
    """As stored; the same as `events`, for programs."""
    events: list[Event]
    """Oldest first."""
    cause: str
    """Why it failed or is retried, in words; empty if nothing went wrong."""
    turn: Turn | None = None
    """What it waits behind in its order; None where it waits for no turn."""
    held_back: HeldBack | None = None
    """None where it does not wait, or where at most limits and the time of a retry keep it waiting."""

    @property
    def wait(self) -> str:
        """What it waits for besides its time and its share, in words that go on behind "waits"; empty for nothing."""
        if self.turn:
            return describe_turn(self.turn)
        return describe_hold(self.held_back) if self.held_back else ""


def explain(access: LedgerAccess, record: InvocationRecord) -> Explanation:
    """What the ledger knows of `record`."""
    history = access.invocations.history(record.id)
    events = [_parse_event(entry) for entry in history]
    return Explanation(
        record,
        history,
        events,
        _explain_cause(record, events),
        turn=access.invocations.read_turn(record),
        held_back=_find_hold(access, record) if record.state is State.WAITING else None,
    )


def describe_turn(turn: Turn) -> str:
    """What it waits for, in words that go on behind "waits"."""
    first = f"{turn.first}, which is {turn.first_state}"
    others = f"{turn.ahead - 1} more, behind " if turn.ahead > 1 else ""
    if turn.is_held:
        return f"for its turn behind {others}{first} and holds its order until somebody requeues or discards it"
    return f"for its turn behind {others}{first}"


def describe_hold(held_back: HeldBack) -> str:
    """What it waits for, in words that go on behind "waits"."""
    if held_back.hold is Hold.PAUSED:
        return f"until somebody resumes {held_back.name}, which is paused"
    return f"for the breaker of {held_back.name}, which is open"


def _find_hold(access: LedgerAccess, record: InvocationRecord) -> HeldBack | None:
    """A pause of its target or lane, otherwise an open breaker of one of them."""
    holds = access.targets.holds([name for name in (record.target, record.lane) if name])
    held_back = [HeldBack(name, hold) for name, hold in holds.items()]
    return min(held_back, key=lambda each: each.hold is not Hold.PAUSED, default=None)


def _parse_event(entry: dict[str, Any]) -> Event:
    at_ms = round(entry["at"] * 1000) if entry.get("at") else 0
    if "requeued_by" in entry:
        return RequeueEvent(at_ms, entry["requeued_by"], entry["why"], bool(entry.get("replay")), entry.get("role", ""))
    if "unreadable" in entry:
        return SealedEvent(entry["unreadable"])
    return AttemptEvent(
        at_ms=at_ms,
        generation=entry["generation"],
        number=entry["attempt"],
        reason=entry["reason"],
        cause=entry["cause"],
        status=entry.get("status"),
        sent=entry["sent"],
        duration_ms=entry["duration_ms"],
        response=entry.get("response"),
    )


def _explain_cause(record: InvocationRecord, events: list[Event]) -> str:
    if record.state == State.DONE or not record.reason:
        return ""
    # What was refused, revoked or given up between attempts has a reason of its own, which no attempt explains.
    last = next((event for event in reversed(events) if isinstance(event, AttemptEvent)), None)
    if last is not None and last.cause and last.reason == record.reason:
        return last.cause
    return CAUSES.get(record.reason, record.reason.replace("_", " "))

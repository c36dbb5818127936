"""How an attempt ends, as plain values: they pass from stage to stage, and from an isolated process to its worker."""

from dataclasses import dataclass

from longshore.delivery.outcome import Outcome
from longshore.delivery.policy import Step
from longshore.ledger.entry import AttemptEnd

UNEXPECTED = "unexpected"
"""Reason code of what a fault of ours ended."""

DEFERRED = "deferred"
"""`StoredResult.state` of an attempt that was put back, unsent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request, and what follows from it."""

    outcome: Outcome
    """As the target gave it: its secrets are not masked yet."""
    step: Step


@dataclass(frozen=True, slots=True)
class Completion:
    """The attempt is over; `end` is what the ledger is to store of it."""

    end: AttemptEnd
    summary: str
    """One line for people."""


@dataclass(frozen=True, slots=True)
class Deferral:
    """Nothing was sent: the invocation goes back to a lane, which uses up no attempt."""

    target: str
    lane: str
    """Where it belongs: what it has, or what its mapping gives now."""
    summary: str
    """One line for people."""


AttemptResult = Completion | Deferral


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What became of the invocation once the result was stored."""

    state: str
    """The state it is in now, or `DEFERRED`."""
    summary: str
    """One line for people."""

"""Tracks each published message by what the ledger, the targets and the fake Port know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.ledger.ledger import Ledger
from longshore.ledger.record_lookup import RecordLookup
from longshore.ledger.states import FINAL_STATES
from longshore.ledger.stats import move_counts
from longshore.sandbox.case import Case
from longshore.sandbox.embedded_kafka import RecordPosition
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets

NOT_READ = "not read"
SKIPPED, REPEATED = "skipped", "repeated"
FINAL = frozenset({*FINAL_STATES, SKIPPED, REPEATED})
"""States after which only Port may still hear something."""


@dataclass(slots=True)
class TrackedMessage:
    """A published case and its state; `requests` is the count of its targets, None where nobody counts."""

    case: Case
    position: RecordPosition | None
    """Where it stands in Kafka; None for one that Port gives out to whoever polls."""
    id: str = ""
    state: str = NOT_READ
    reason: str = ""
    attempts: int = 0
    status: str = ""
    requests: int | None = None
    port: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more is going to be sent to its target."""
        return self.state in FINAL

    def differences(self) -> list[str]:
        """What differs from the case's expectation; empty if nothing does."""
        expectation = self.case.expectation
        if self.state != expectation.state:
            # The rest follows from it.
            return [f"{self.state}{f' ({self.reason})' if self.reason else ''}, expected {expectation.state}"]
        differences = []
        if expectation.reason and self.reason != expectation.reason:
            differences.append(f"reason {self.reason}, expected {expectation.reason}")
        if self.state in FINAL_STATES and expectation.attempts not in (None, self.attempts):
            differences.append(f"{self.attempts} attempts, expected {expectation.attempts}")
        attempts_made = self.attempts + expectation.earlier_attempts
        if self.requests is not None and self.requests != attempts_made:
            differences.append(f"{self.requests} requests at the target, but {attempts_made} attempts in the ledger")
        if self.port != expectation.port and self.state != REPEATED:
            differences.append(f"Port has {self.port or 'heard nothing'}, expected {expectation.port or 'nothing'}")
        return differences


class Tracker:
    """Updates tracked messages; raises `StoreUnavailable` while Redis is away."""

    def __init__(self, ledger: Ledger, port: FakePort, targets: FakeTargets) -> None:
        self._ledger = ledger
        self._records = RecordLookup(ledger)
        self.port = port
        self._targets = targets

    def update(self, messages: Sequence[TrackedMessage]) -> None:
        """Bring each of `messages` up to date."""
        runs, requests = self.port.runs, self._targets.attempts()
        for message in messages:
            # What a person will send again has not ended for good.
            if not message.is_final or message.case.expectation.earlier_attempts:
                self._read_record(message)
            message.requests = self._count_requests(message, requests)
            run = runs.get(message.case.run_id) if message.case.run_id else None
            message.port = run.state if run else None

    def counts(self) -> dict[str, int]:
        """How many invocations made each move since the sandbox started, and how many wait (`backlog`)."""
        return move_counts(self._ledger)

    def _read_record(self, message: TrackedMessage) -> None:
        if not message.id and not self._resolve_id(message):
            return
        record = self._records.summary(message.id)
        if record is None:
            message.reason, message.attempts, message.status = "", 0, ""
            return
        message.state = record.state or message.state
        message.reason = record.reason
        message.attempts = record.attempts
        message.status = record.status

    def _resolve_id(self, message: TrackedMessage) -> bool:
        """Learn the id of its record; sets the state of what has none. Whether there is one now."""
        position, run_id = message.position, message.case.run_id
        if position is None:
            message.id = run_id if self._records.summary(run_id) else ""
            return bool(message.id)
        if self._records.next_offset(position.topic, position.partition) <= position.offset:
            return False
        record = self._records.summary(run_id) if run_id else None
        origin = (record.origin or None) if record else None
        if origin is not None and origin != str(position):
            message.state = REPEATED
            return False
        message.id = run_id if origin is not None else self._records.id_at(str(position))
        if not message.id:
            message.state = SKIPPED
        return bool(message.id)

    def _count_requests(self, message: TrackedMessage, requests: dict[str, int]) -> int | None:
        # The dead target counts nothing: nobody listens there. A copy has the requests of its original.
        if message.state == REPEATED or message.reason == "connect_refused":
            return None
        return requests.get(message.id, 0) if message.id else 0

"""What has become of each published message, pieced together from the ledger, the targets and the fake Port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.ledger.ledger import Ledger
from longshore.ledger.record_lookup import RecordLookup
from longshore.ledger.states import FINAL_STATES
from longshore.ledger.stats import move_counts
from longshore.sandbox.embedded_kafka import RecordPosition
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.scenario import Case

NOT_READ = "in Kafka"
SKIPPED, REPEATED = "skipped", "repeated"
ENDED = frozenset({*FINAL_STATES, SKIPPED, REPEATED})
"""States after which only Port may still hear something."""


@dataclass(slots=True)
class Followed:
    """A published case and what is known of it; `requests` is what the targets counted, None where nobody counts."""

    case: Case
    place: RecordPosition
    id: str = ""
    state: str = NOT_READ
    reason: str = ""
    attempts: int = 0
    status: str = ""
    requests: int | None = None
    port: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more is going to be sent to its target."""
        return self.state in ENDED

    def differences(self) -> list[str]:
        """What is not as the case expects it; empty when all is well."""
        expected = self.case.expected
        if self.state != expected.state:
            # The rest follows from it.
            return [f"{self.state}{f' ({self.reason})' if self.reason else ''}, expected {expected.state}"]
        found = []
        if expected.reason and self.reason != expected.reason:
            found.append(f"reason {self.reason}, expected {expected.reason}")
        if self.state in FINAL_STATES and expected.attempts not in (None, self.attempts):
            found.append(f"{self.attempts} attempts, expected {expected.attempts}")
        made = self.attempts + expected.earlier
        if self.requests is not None and self.requests != made:
            found.append(f"{self.requests} requests at the target, but {made} attempts in the ledger")
        if self.port != expected.port and self.state != REPEATED:
            found.append(f"Port has {self.port or 'heard nothing'}, expected {expected.port or 'nothing'}")
        return found


class Tracker:
    """Looks the followed messages up; raises `StoreUnavailable` while Redis is away."""

    def __init__(self, ledger: Ledger, port: FakePort, targets: FakeTargets) -> None:
        self._ledger = ledger
        self._records = RecordLookup(ledger)
        self.port = port
        self._targets = targets

    def look(self, followed: Sequence[Followed]) -> None:
        """Bring each of `followed` up to date."""
        runs, requests = self.port.runs, self._targets.attempts()
        for each in followed:
            # What a person will send again has not ended for good.
            if not each.ended or each.case.expected.earlier:
                self._look_into_ledger(each)
            each.requests = self._requests(each, requests)
            run = runs.get(each.case.run_id) if each.case.run_id else None
            each.port = run.state if run else None

    def counts(self) -> dict[str, int]:
        """How many invocations made each move since the sandbox started, and how many wait (`backlog`)."""
        return move_counts(self._ledger)

    def _look_into_ledger(self, each: Followed) -> None:
        if not each.id and not self._find(each):
            return
        record = self._records.summary(each.id)
        if record is None:
            each.reason, each.attempts, each.status = "", 0, ""
            return
        each.state = record.state or each.state
        each.reason = record.reason
        each.attempts = record.attempts
        each.status = record.status

    def _find(self, each: Followed) -> bool:
        """Learn the id of its record; sets the state of what has none. Whether there is one now."""
        place, run_id = each.place, each.case.run_id
        if self._records.next_offset(place.topic, place.partition) <= place.offset:
            return False
        record = self._records.summary(run_id) if run_id else None
        origin = (record.origin or None) if record else None
        if origin is not None and origin != str(place):
            each.state = REPEATED
            return False
        each.id = run_id if origin is not None else self._records.id_at(str(place))
        if not each.id:
            each.state = SKIPPED
        return bool(each.id)

    def _requests(self, each: Followed, requests: dict[str, int]) -> int | None:
        # The dead target counts nothing: nobody listens there. A copy has the requests of its original.
        if each.state == REPEATED or each.reason == "connect_refused":
            return None
        return requests.get(each.id, 0) if each.id else 0

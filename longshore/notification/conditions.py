"""What is wrong with the fleet now, and for how long it has been: breakers that stay open, and silence."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from longshore.ledger.fleet_snapshot import FleetSnapshot
from longshore.ledger.notification_lease import Notes
from longshore.notification.kinds import Kind

SINCE = "since"
"""The note that holds since when each condition has held (ms), as JSON."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that holds for a while and then no longer. `name` identifies it, for as long as it is noted."""

    kind: Kind
    name: str
    """`breaker <target>`, or the name of a silence."""
    patience_s: float
    """For how long it must have held before somebody is told."""
    detail: str = ""


def find_conditions(
    fleet: FleetSnapshot, read_ms: int | None, silence_s: float, breaker_s: float
) -> Iterator[Condition]:
    """All that hold now, however long."""
    for target in fleet.targets:
        if target.breakers:
            yield Condition(Kind.BREAKERS, f"breaker {target.name}", breaker_s)
    if not fleet.workers:
        yield Condition(Kind.SILENCE, "workers", silence_s)
    if read_ms is None or fleet.now_ms - read_ms > silence_s * 1000:
        # No ingest that was there ever: it may be about to start.
        yield Condition(Kind.SILENCE, "reading", silence_s if read_ms is None else 0)
    overdue = [target for target in fleet.targets if target.oldest_s > silence_s and not target.paused]
    if overdue:
        yield Condition(Kind.SILENCE, "overdue", 0, max(overdue, key=lambda target: target.oldest_s).name)
    if fleet.report_age_s > silence_s:
        yield Condition(Kind.SILENCE, "reports", 0)


class ConditionClock:
    """Since when each condition has held, across processes."""

    def __init__(self, notes: Notes) -> None:
        self._now_ms = notes.now_ms
        self._since = _parse_times(notes.fields.get(SINCE, ""))

    def update(self, conditions: Mapping[str, Condition]) -> str | None:
        """Starts and stops clocks; returns what to note, None if that has not changed."""
        since = {name: self._since.get(name, self._now_ms) for name in conditions}
        if since == self._since:
            return None
        self._since = since
        return json.dumps(since)

    def is_due(self, condition: Condition) -> bool:
        """Whether it has held for long enough."""
        return self._now_ms - self._since[condition.name] >= condition.patience_s * 1000


def _parse_times(text: str) -> dict[str, int]:
    """What was noted; empty for anything else."""
    try:
        return {name: int(ms) for name, ms in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}

"""What is true of the whole fleet now, read from the ledger in three round trips, however much there is.

The number of targets and lanes is bounded, and of what waits only counts and heads are read, never records. The three
round trips are not one moment: what moves between them may be counted twice or not at all, and `uncounted` absorbs it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from longshore.ledger.connection import reaching_store
from longshore.ledger.fleet_audit import AuditResult, parse_result
from longshore.ledger.fleet_queries import Lane, LaneHead, Queues, read_lanes, read_queues, read_totals
from longshore.ledger.known_names import KnownNames
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.text import decode, number
from longshore.ledger.wait_causes import LaneQueue, Throttle, count_causes, startable_by_rate

_SUSPECTS = b"!suspects"
"""Suffix of the lanes of suspects, which are tried in isolation; all of them together have one slot per worker."""


@dataclass(frozen=True, slots=True)
class TargetSnapshot:
    """One target as it stands. Ages in seconds, 0 without anything due."""

    name: str
    waiting: int
    in_flight: int
    oldest_s: float
    paused: bool
    breakers: int
    """Its own and its lanes', those that are not closed."""


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """The fleet in numbers; `memory` and `memory_limit` of Redis in bytes, 0 for no limit."""

    backlog: int
    waiting: Counter[str]
    """Cause → how many; those whose lane was not read are `uncounted`."""
    in_flight: int
    workers: int
    slots: int
    dead: int
    unknown: int
    reports: int
    report_age_s: float
    budget_used: float
    """Share of the calls to the Port API that its rate allows, 0 without one."""
    memory: int
    memory_limit: int
    counts: dict[str, int]
    audit: AuditResult | None
    now_ms: int
    targets: list[TargetSnapshot] = field(default_factory=list)

    @property
    def oldest_s(self) -> float:
        """For how long the one that waits longest has been due."""
        return max((target.oldest_s for target in self.targets), default=0.0)


def take_snapshot(ledger: Ledger) -> FleetSnapshot:
    """Reads the fleet once. Raises StoreUnavailable."""
    client, keys, limits = ledger.redis, ledger.keys, ledger.limits
    with reaching_store():
        totals = read_totals(client, keys)
        targets, lanes = read_lanes(client, keys, totals.names)
        queues = read_queues(client, keys, targets, lanes, totals, limits.late)
    counts = {decode(name): number(value) for name, value in totals.counts.items()}
    backlog = max(0, counts.get("backlog", 0))
    fleet = _Fleet(totals.names, queues, limits, totals.workers, totals.now_ms)
    waiting, snapshots = fleet.snapshots(targets, lanes)
    waiting["uncounted"] = max(0, backlog - waiting.total())
    drawn_ms = number(totals.port_budget) - totals.now_ms
    since = totals.oldest_report
    return FleetSnapshot(
        backlog=backlog,
        waiting=waiting,
        in_flight=totals.leased,
        workers=totals.workers,
        slots=sum(map(number, totals.slots)),
        dead=totals.dead,
        unknown=totals.unknown,
        reports=totals.reports,
        report_age_s=max(0.0, (totals.now_ms - since[0][1]) / 1000) if since else 0.0,
        budget_used=min(1.0, max(0.0, drawn_ms / 1000)) if limits.port_rate else 0.0,
        memory=int(totals.memory.get("used_memory", 0)),
        memory_limit=int(totals.memory.get("maxmemory", 0)),
        counts=counts,
        audit=parse_result(totals.audit_result),
        now_ms=totals.now_ms,
        targets=snapshots,
    )


@dataclass(frozen=True, slots=True)
class _Fleet:
    """The answers of Redis, from which it computes the numbers of each target; sends no command itself."""

    names: KnownNames
    queues: Queues
    limits: Limits
    workers: int
    now_ms: int

    def snapshots(self, targets: Sequence[bytes], lanes: Sequence[Lane]) -> tuple[Counter[str], list[TargetSnapshot]]:
        """What waits, by cause, in all of them together; and each target."""
        heads: dict[bytes, list[LaneHead]] = {target: [] for target in targets}
        for lane, head in zip(lanes, self.queues.heads, strict=True):
            heads[lane.target].append(head)
        causes: Counter[str] = Counter()
        snapshots = []
        for target in targets:
            throttle = self._throttle(target, self.limits.target)
            lane_queues = [self._lane_queue(head) for head in heads[target]]
            causes += count_causes(throttle, lane_queues, self._startable(target), self.now_ms)
            snapshots.append(self._snapshot(target, throttle, lane_queues, heads[target]))
        return causes, snapshots

    def _snapshot(
        self, target: bytes, throttle: Throttle, lane_queues: Sequence[LaneQueue], heads: Sequence[LaneHead]
    ) -> TargetSnapshot:
        breakers = [throttle.breaker, *(lane.throttle.breaker for lane in lane_queues)]
        return TargetSnapshot(
            name=decode(target),
            waiting=sum(lane.waiting for lane in lane_queues),
            in_flight=throttle.in_flight,
            oldest_s=max((head.age_s for head in heads), default=0.0),
            paused=throttle.control.paused,
            breakers=sum(not breaker.is_closed for breaker in breakers),
        )

    def _lane_queue(self, head: LaneHead) -> LaneQueue:
        concurrency = max(1, self.workers) if head.lane.endswith(_SUSPECTS) else self.limits.lane
        return LaneQueue(self._throttle(head.lane, concurrency), head.waiting, head.due, head.awaiting_turn)

    def _throttle(self, name: bytes, concurrency: int) -> Throttle:
        controls = self.queues.controls
        return Throttle(
            in_flight=self.names.in_flight(name),
            concurrency=controls.concurrency(name, concurrency),
            control=controls.operator(name),
            breaker=controls.breaker(name),
        )

    def _startable(self, target: bytes) -> float:
        rate = self.queues.controls.rate(target, self.limits.rate)
        next_start_ms = number(self.queues.starts[target])
        return startable_by_rate(rate, next_start_ms, self.now_ms, self.limits.ahead)

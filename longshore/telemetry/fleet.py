"""The fleet's metrics for a page: reads the ledger at most every few seconds, and reports if it cannot."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from longshore.errors import StoreUnavailable
from longshore.ledger.fleet_snapshot import FleetSnapshot, TargetSnapshot
from longshore.ledger.states import FINAL_STATES, State
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.telemetry.labels import OTHER, outcome_of
from longshore.telemetry.metrics import FLEET

log = EventLog(__name__)

MAX_AGE_S = 2.0
"""How long a snapshot serves further pages: several Prometheus servers cost no more than one."""

Rows = Iterable[tuple[tuple[str, ...], float]]
FailedCounts = Counter[tuple[str, str]]
"""(state, reason) → how many."""


class FleetCollector(Collector):
    """Collects the metrics of `FLEET`. Thread safe; one page waits while another reads."""

    def __init__(
        self,
        take_snapshot: Callable[[], FleetSnapshot],
        failed_by_reason: Callable[[], FailedCounts | None],
        max_targets: int,
    ) -> None:
        """`take_snapshot` may raise StoreUnavailable. `failed_by_reason` is the last count, None before the first."""
        self._take_snapshot = take_snapshot
        self._failed_by_reason = failed_by_reason
        self._max_targets = max_targets
        self._lock = threading.Lock()
        self._snapshot: FleetSnapshot | None = None
        self._taken_at = -MAX_AGE_S

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that a registry does not read Redis to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now; without Redis only `longshore_fleet_redis_up` 0."""
        fleet = self._fresh_snapshot()
        yield _family("longshore_fleet_redis_up", [((), float(fleet is not None))])
        if fleet is None:
            return
        for name, rows in self._rows(fleet).items():
            yield _family(name, rows)

    def _fresh_snapshot(self) -> FleetSnapshot | None:
        with self._lock:
            if time.monotonic() - self._taken_at >= MAX_AGE_S:
                try:
                    self._snapshot = self._take_snapshot()
                except StoreUnavailable as error:
                    log.event(events.METRICS_FLEET_FAILED, error=str(error))
                    self._snapshot = None
                self._taken_at = time.monotonic()
            return self._snapshot

    def _rows(self, fleet: FleetSnapshot) -> dict[str, Rows]:
        counts = fleet.counts
        rows: dict[str, Rows] = {
            "longshore_fleet_backlog": _unlabelled(fleet.backlog),
            "longshore_fleet_waiting": [((cause,), fleet.waiting[cause]) for cause in CAUSES],
            "longshore_fleet_runnable": _unlabelled(fleet.waiting["slots"]),
            "longshore_fleet_oldest_seconds": _unlabelled(fleet.oldest_s),
            "longshore_fleet_in_flight": _unlabelled(fleet.in_flight),
            "longshore_fleet_slots": _unlabelled(fleet.slots),
            "longshore_fleet_workers": _unlabelled(fleet.workers),
            "longshore_fleet_breakers_opened": _unlabelled(counts.get("breaker_opened", 0)),
            "longshore_fleet_failed": [((State.DEAD,), fleet.dead), ((State.UNKNOWN,), fleet.unknown)],
            "longshore_fleet_accepted": _unlabelled(counts.get("accepted", 0)),
            "longshore_fleet_ended": [((state,), counts.get(state, 0)) for state in FINAL_STATES],
            "longshore_fleet_reports_waiting": _unlabelled(fleet.reports),
            "longshore_fleet_outbox_age_seconds": _unlabelled(fleet.report_age_s),
            "longshore_fleet_reports_dropped": [
                ((cause,), counts.get(f"reports_{cause}", 0)) for cause in ("shed", "expired")
            ],
            "longshore_fleet_port_rate_used_ratio": _unlabelled(fleet.budget_used),
            "longshore_fleet_redis_memory_bytes": _unlabelled(fleet.memory),
            "longshore_fleet_redis_memory_limit_bytes": _unlabelled(fleet.memory_limit),
        }
        rows |= self._target_rows(fleet.targets)
        failed = self._failed_by_reason()
        if failed is not None:
            rows |= _failed_rows(failed)
        return rows | _audit_rows(fleet)

    def _target_rows(self, targets: list[TargetSnapshot]) -> dict[str, Rows]:
        by_weight = sorted(targets, key=lambda target: (-target.waiting - target.in_flight, target.name))
        rows: dict[str, Rows] = {}
        for name, value, merge in PER_TARGET:
            values: dict[str, list[float]] = {}
            for rank, target in enumerate(by_weight):
                values.setdefault(target.name if rank < self._max_targets else OTHER, []).append(value(target))
            rows[name] = [((label,), merge(group)) for label, group in values.items()]
        return rows


CAUSES = ("retry", "order", "paused", "breaker", "concurrency", "rate", "slots", "uncounted")

PER_TARGET: tuple[tuple[str, Callable[[TargetSnapshot], float], Callable[[list[float]], float]], ...] = (
    ("longshore_fleet_target_waiting", lambda target: target.waiting, sum),
    ("longshore_fleet_target_in_flight", lambda target: target.in_flight, sum),
    ("longshore_fleet_target_oldest_seconds", lambda target: target.oldest_s, max),
    ("longshore_fleet_target_paused", lambda target: target.paused, max),
    ("longshore_fleet_target_breakers", lambda target: target.breakers, sum),
)
"""Metric, its value for a target, and how the values of all targets beyond the limit are merged."""


def _family(name: str, rows: Rows) -> Metric:
    spec = FLEET[name]
    family_type = CounterMetricFamily if spec.type == "counter" else GaugeMetricFamily
    family = family_type(name, spec.meaning, labels=spec.labels)
    for labels, value in rows:
        family.add_metric(list(labels), value)
    return family


def _unlabelled(value: float) -> Rows:
    return [((), value)]


def _failed_rows(failed: FailedCounts) -> dict[str, Rows]:
    names: dict[str, str] = {
        State.DEAD: "longshore_fleet_dead_letters",
        State.UNKNOWN: "longshore_fleet_unknown_outcomes",
    }
    counts: dict[str, Counter[str]] = {state: Counter() for state in names}
    for (state, reason), count in failed.items():
        counts[state][outcome_of(reason)] += count
    return {
        names[state]: [((reason,), count) for reason, count in sorted(by_reason.items())]
        for state, by_reason in counts.items()
    }


def _audit_rows(fleet: FleetSnapshot) -> dict[str, Rows]:
    if (result := fleet.audit) is None:
        return {}
    return {
        "longshore_fleet_unaccounted": _unlabelled(result.unaccounted),
        "longshore_fleet_audit_problems": _unlabelled(result.problems),
        "longshore_fleet_audit_age_seconds": _unlabelled(max(0.0, (fleet.now_ms - result.at_ms) / 1000)),
    }

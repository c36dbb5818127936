"""The fleet's metrics for a page: looks at the ledger when asked, at most every few seconds, and says if it cannot."""

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

FRESH_S = 2.0
"""For so long a look is good for further pages: several Prometheuses cost no more than one."""

Rows = Iterable[tuple[tuple[str, ...], float]]
Letters = Counter[tuple[str, str]]
"""(state, reason) → how many."""


class FleetCollector(Collector):
    """Gives the metrics of `FLEET`. Thread safe; one page waits while another looks."""

    def __init__(
        self, take_snapshot: Callable[[], FleetSnapshot], letters: Callable[[], Letters | None], most_targets: int
    ) -> None:
        """`take_snapshot` may raise StoreUnavailable. `letters` is the last count of them, None before the first."""
        self._take_snapshot = take_snapshot
        self._letters = letters
        self._most = most_targets
        self._lock = threading.Lock()
        self._snapshot: FleetSnapshot | None = None
        self._taken_at = -FRESH_S

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that no one looks at Redis to find out the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now; without Redis only that it is away."""
        fleet = self._fresh()
        yield _family("longshore_fleet_redis_up", [((), float(fleet is not None))])
        if fleet is None:
            return
        for name, rows in self._rows(fleet).items():
            yield _family(name, rows)

    def _fresh(self) -> FleetSnapshot | None:
        with self._lock:
            if time.monotonic() - self._taken_at >= FRESH_S:
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
            "longshore_fleet_backlog": _one(fleet.backlog),
            "longshore_fleet_waiting": [((cause,), fleet.waiting[cause]) for cause in CAUSES],
            "longshore_fleet_runnable": _one(fleet.waiting["slots"]),
            "longshore_fleet_oldest_seconds": _one(fleet.oldest_s),
            "longshore_fleet_in_flight": _one(fleet.in_flight),
            "longshore_fleet_slots": _one(fleet.slots),
            "longshore_fleet_workers": _one(fleet.workers),
            "longshore_fleet_breakers_opened": _one(counts.get("breaker_opened", 0)),
            "longshore_fleet_failed": [((State.DEAD,), fleet.dead), ((State.UNKNOWN,), fleet.unknown)],
            "longshore_fleet_accepted": _one(counts.get("accepted", 0)),
            "longshore_fleet_ended": [((state,), counts.get(state, 0)) for state in FINAL_STATES],
            "longshore_fleet_reports_waiting": _one(fleet.reports),
            "longshore_fleet_outbox_age_seconds": _one(fleet.report_age_s),
            "longshore_fleet_reports_dropped": [
                ((cause,), counts.get(f"reports_{cause}", 0)) for cause in ("shed", "expired")
            ],
            "longshore_fleet_port_rate_used_ratio": _one(fleet.budget_used),
            "longshore_fleet_redis_memory_bytes": _one(fleet.memory),
            "longshore_fleet_redis_memory_limit_bytes": _one(fleet.memory_limit),
        }
        rows |= self._targets(fleet.targets)
        letters = self._letters()
        if letters is not None:
            rows |= _letters(letters)
        return rows | _audit(fleet)

    def _targets(self, targets: list[TargetSnapshot]) -> dict[str, Rows]:
        by_weight = sorted(targets, key=lambda one: (-one.waiting - one.in_flight, one.name))
        rows: dict[str, Rows] = {}
        for name, value, joined in PER_TARGET:
            values: dict[str, list[float]] = {}
            for place, target in enumerate(by_weight):
                values.setdefault(target.name if place < self._most else OTHER, []).append(value(target))
            rows[name] = [((label,), joined(found)) for label, found in values.items()]
        return rows


CAUSES = ("retry", "paused", "breaker", "concurrency", "rate", "slots", "uncounted")

PER_TARGET: tuple[tuple[str, Callable[[TargetSnapshot], float], Callable[[list[float]], float]], ...] = (
    ("longshore_fleet_target_waiting", lambda target: target.waiting, sum),
    ("longshore_fleet_target_in_flight", lambda target: target.in_flight, sum),
    ("longshore_fleet_target_oldest_seconds", lambda target: target.oldest_s, max),
    ("longshore_fleet_target_paused", lambda target: target.paused, max),
    ("longshore_fleet_target_breakers", lambda target: target.breakers, sum),
)
"""Metric, its value for a target, and how those of all without a name of their own become one."""


def _family(name: str, rows: Rows) -> Metric:
    fact = FLEET[name]
    made = CounterMetricFamily if fact.type == "counter" else GaugeMetricFamily
    family = made(name, fact.meaning, labels=fact.labels)
    for labels, value in rows:
        family.add_metric(list(labels), value)
    return family


def _one(value: float) -> Rows:
    return [((), value)]


def _letters(letters: Letters) -> dict[str, Rows]:
    names: dict[str, str] = {
        State.DEAD: "longshore_fleet_dead_letters",
        State.UNKNOWN: "longshore_fleet_unknown_outcomes",
    }
    counts: dict[str, Counter[str]] = {state: Counter() for state in names}
    for (state, reason), count in letters.items():
        counts[state][outcome_of(reason)] += count
    return {
        names[state]: [((reason,), count) for reason, count in sorted(found.items())] for state, found in counts.items()
    }


def _audit(fleet: FleetSnapshot) -> dict[str, Rows]:
    if (result := fleet.audit) is None:
        return {}
    return {
        "longshore_fleet_unaccounted": _one(result.unaccounted),
        "longshore_fleet_audit_problems": _one(result.problems),
        "longshore_fleet_audit_age_seconds": _one(max(0.0, (fleet.now_ms - result.at_ms) / 1000)),
    }

"""What the overview shows: the fleet now, and what it did in the last hour and the last day."""

from dataclasses import asdict, dataclass
from typing import Any

from longshore.dashboard import formatting
from longshore.dashboard.context import DashboardContext
from longshore.ledger.activity import Activity, Span, read_activity, sum_up
from longshore.ledger.fleet_snapshot import FleetSnapshot, take_snapshot
from longshore.ledger.intake import IntakeStop, read_stop
from longshore.ledger.stats import read_stats

MEDIAN, SLOW = 0.5, 0.95
"""The shares of deliveries whose latency is shown."""


@dataclass(frozen=True, slots=True)
class Overview:
    """One look at the fleet."""

    now: FleetSnapshot
    held_runs: int
    """Polled runs that wait for Port's acknowledgement."""
    intake_stop: IntakeStop | None
    activity: Activity

    @property
    def open_breakers(self) -> int:
        """Breakers that hold something back."""
        return sum(target.breakers for target in self.now.targets)

    @property
    def hour(self) -> Span:
        """The last hour as one span."""
        return sum_up(self.activity.hour)

    @property
    def day(self) -> Span:
        """The last day as one span."""
        return sum_up(self.activity.day)

    @property
    def is_new(self) -> bool:
        """Whether nothing was accepted for a day, and nothing is under way."""
        return self.day.is_quiet and not (self.now.backlog or self.now.in_flight)

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            "now": {
                "waiting": self.now.backlog,
                "waiting_for": {cause: count for cause, count in self.now.waiting.items() if count},
                "oldest_late_ms": round(self.now.oldest_s * 1000),
                "in_flight": self.now.in_flight,
                "slots": self.now.slots,
                "worker_processes": self.now.workers,
                "dead_letters": self.now.dead,
                "unknown_outcomes": self.now.unknown,
                "open_breakers": self.open_breakers,
                "runs_with_reports_to_send": self.now.reports,
                "held_runs": self.held_runs,
                "intake_stopped": intake_as_json(self.intake_stop),
            },
            "last_hour": _span_as_json(self.hour),
            "last_day": _span_as_json(self.day),
            "minutes": [_span_as_json(span) for span in self.activity.hour],
            "quarters": [_span_as_json(span) for span in self.activity.day],
        }


def read_overview(context: DashboardContext) -> Overview:
    """Reads all of it. Raises `StoreUnavailable`."""
    ledger = context.access.ledger
    return Overview(
        now=take_snapshot(ledger),
        held_runs=read_stats(ledger)["held_runs"],
        intake_stop=read_stop(ledger),
        activity=read_activity(ledger),
    )


def intake_as_json(stop: IntakeStop | None) -> dict[str, Any] | None:
    """A stop of intake for the API, null where there is none."""
    return asdict(stop) if stop else None


def _span_as_json(span: Span) -> dict[str, Any]:
    return {
        "start": formatting.format_iso(span.start_ms),
        "accepted": span.accepted,
        "delivered": span.delivered,
        "dead": span.dead,
        "unknown": span.unknown,
        "retried": span.retried,
        "success_rate": span.success_rate,
        "latency_p50_ms": _rounded(span.latency_ms(MEDIAN)),
        "latency_p95_ms": _rounded(span.latency_ms(SLOW)),
    }


def _rounded(duration_ms: float | None) -> int | None:
    return None if duration_ms is None else round(duration_ms)

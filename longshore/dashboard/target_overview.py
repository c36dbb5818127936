"""The rows of the targets tab: each target and lane with what delays it, its last error, and its last day."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from heapq import merge
from itertools import islice
from typing import Any

from longshore.dashboard import formatting
from longshore.dashboard.context import DashboardContext
from longshore.ledger.activity import TargetCounts, read_target_counts
from longshore.ledger.breaker import BreakerStatus
from longshore.ledger.scan import Filter
from longshore.ledger.target_control import TargetControl, effective_concurrency, effective_rate
from longshore.ledger.target_status import TargetStatus

MAX_DEAD_LETTERS = 500
"""Newest dead letters in which the last error of each target is searched."""

MAX_IDLE_TARGETS = 500
"""Targets of the last day that are listed though nothing waits, is in flight or is held back: the busiest ones."""


@dataclass(frozen=True, slots=True)
class Row:
    """A target or a lane, its limits in effect, and its last error."""

    status: TargetStatus
    error: str
    """Reason code of a delivery that waits for its next attempt; otherwise of the newest dead letter."""
    error_ms: int
    """When that dead letter was given up, in ms since 1970; 0 for a delivery that is still retried."""
    rate: float
    """Starts per second in effect, 0 for no limit."""
    concurrency: int
    """Most in flight at once in effect."""
    day: TargetCounts | None
    """Of a target: what came of its invocations in the last day. None for a lane."""

    @property
    def action(self) -> str:
        """The action of a lane, empty for a target."""
        return self.status.lane.removeprefix(self.status.target)[1:]

    @property
    def overdue_ms(self) -> float:
        """For how long the oldest delivery has been due."""
        due = self.status.oldest_due_ms
        return max(0.0, time.time() * 1000 - due) if due else 0.0

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            **asdict(self.status),
            "action": self.action,
            "last_error": self.error,
            "last_error_at": formatting.format_iso(self.error_ms),
            "rate": self.rate,
            "concurrency": self.concurrency,
            "delivered_last_day": self.day.delivered if self.day else None,
            "failed_last_day": self.day.failed if self.day else None,
            "oldest_late_ms": round(self.overdue_ms),
        }


@dataclass(frozen=True, slots=True)
class TargetTable:
    """The rows, each target followed by its lanes, and what they leave out."""

    rows: list[Row]
    after: str
    """Where the next page begins, for `read_table`; empty on the last one."""
    waiting_left_out: int
    """Targets at which something waits, beyond those that the ledger reads."""
    idle_left_out: int
    """Targets beyond `MAX_IDLE_TARGETS`."""
    others: TargetCounts
    """Of targets that the ledger counts without their names, as an hour had too many."""


def read_table(context: DashboardContext, after: str = "", size: int | None = None) -> TargetTable:
    """Every target that the ledger has data of, or had in the last day, by name; or `size` rows of them.

    Only the targets of those rows are read. A page that begins within a target repeats the target's own row.
    """
    targets = context.access.targets
    busy = targets.listed_names()
    day = read_target_counts(context.access.ledger)
    others = day.pop("", TargetCounts())
    idle = sorted(day.keys() - busy, key=lambda name: (-day[name].ended, name))
    statuses = _read_statuses(context, busy, idle[:MAX_IDLE_TARGETS], after)
    page = list(islice(statuses, size))
    has_more = next(statuses, None) is not None
    return TargetTable(
        rows=_build_rows(context, page, day),
        after=_position(page[-1]) if has_more else "",
        waiting_left_out=targets.unread(),
        idle_left_out=max(0, len(idle) - MAX_IDLE_TARGETS),
        others=others,
    )


def _read_statuses(
    context: DashboardContext, busy: Collection[str], idle: Collection[str], after: str
) -> Iterator[TargetStatus]:
    """The statuses behind the row `after`, by name, each target's own first. Reads a target when it is asked for."""
    target, _, lane = after.partition(" ")
    names = [name for name in busy if name >= target]
    busy_statuses = context.access.targets.statuses(names) if names else iter(())
    idle_statuses = (_idle_status(name) for name in sorted(idle) if name >= target)
    own_row: TargetStatus | None = None
    for status in merge(busy_statuses, idle_statuses, key=lambda status: status.target):
        if (status.target, status.lane) <= (target, lane):
            own_row = own_row or status
            continue
        if own_row is not None and status.target == target:
            yield own_row
        own_row = None
        yield status


def _position(status: TargetStatus) -> str:
    return f"{status.target} {status.lane}"


def _build_rows(
    context: DashboardContext, statuses: Sequence[TargetStatus], day: Mapping[str, TargetCounts]
) -> list[Row]:
    limits = context.access.ledger.limits
    waiting = context.access.targets.waiting_reasons(
        [status.lane for status in statuses if status.lane and status.waiting]
    )
    retried: dict[str, str] = {}
    for status in statuses:
        if reason := waiting.get(status.lane):
            retried[status.lane] = reason
            retried.setdefault(status.target, reason)
    dead = _dead_errors(context)
    rows = []
    for status in statuses:
        name = status.lane or status.target
        error = retried.get(name, "")
        reason, at_ms = (error, 0) if error else dead.get(name, ("", 0))
        default_concurrency = limits.lane if status.lane else limits.target
        rows.append(
            Row(
                status,
                reason,
                at_ms,
                rate=0.0 if status.lane else effective_rate(status.control, status.mapping, limits.rate),
                concurrency=effective_concurrency(status.control, status.mapping, default_concurrency),
                day=None if status.lane else day.get(status.target, TargetCounts()),
            )
        )
    return rows


def _idle_status(target: str) -> TargetStatus:
    control = TargetControl()
    return TargetStatus(target, "", 0, 0, 0, 0, control, control, BreakerStatus.CLOSED, 0, 0)


def _dead_errors(context: DashboardContext) -> dict[str, tuple[str, int]]:
    """Target or lane → reason and time (ms) of its newest dead letter."""
    newest: dict[str, tuple[str, int]] = {}
    for record in context.access.pages.page(Filter(), size=MAX_DEAD_LETTERS).records:
        for name in (record.target, record.lane):
            newest.setdefault(name, (record.reason, record.ended_ms))
    return newest


def format_limits(control: TargetControl) -> str:
    """An operator's limits as text."""
    limits = [] if control.rate is None else [f"{control.rate:g}/s"]
    if control.concurrency is not None:
        limits.append(f"{control.concurrency} at once")
    return ", ".join(limits)

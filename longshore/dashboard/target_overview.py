"""The agent at a glance: its numbers, and its targets with what holds each back."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from longshore.dashboard import formatting
from longshore.dashboard.context import DashboardContext
from longshore.ledger.scan import Filter
from longshore.ledger.target_control import TargetControl, effective_concurrency, effective_rate
from longshore.ledger.target_status import TargetStatus

RECENT = 500
"""Newest dead letters that are looked through for the last error of each target."""


@dataclass(frozen=True, slots=True)
class Row:
    """A target or a lane, and its last error as people read it."""

    line: TargetStatus
    error: str
    """Reason code of what waits to be tried again, else of the newest dead letter."""
    error_ms: int
    """When that letter was given up; 0 for what is still tried."""
    rate: float
    """Starts per second in effect, 0 for no limit."""
    concurrency: int
    """Most in flight at once in effect."""

    @property
    def action(self) -> str:
        """The action of a lane, empty for a target."""
        return self.line.lane.removeprefix(self.line.target)[1:]

    @property
    def late_ms(self) -> float:
        """For how long the oldest has been due."""
        due = self.line.oldest_due_ms
        return max(0.0, time.time() * 1000 - due) if due else 0.0

    def json(self) -> dict[str, Any]:
        """For the API."""
        return {
            **asdict(self.line),
            "action": self.action,
            "last_error": self.error,
            "last_error_at": formatting.iso(self.error_ms),
            "rate": self.rate,
            "concurrency": self.concurrency,
            "oldest_late_ms": round(self.late_ms),
        }


def targets(agent: DashboardContext) -> list[Row]:
    """Every target that anything is known of now, each followed by its lanes."""
    limits = agent.access.ledger.limits
    lines = list(agent.access.targets.lines())
    waiting = agent.access.targets.waiting_reasons([line.lane for line in lines if line.lane and line.waiting])
    dead = _dead_errors(agent)
    rows = []
    for line in lines:
        name = line.lane or line.target
        error = next((waiting[lane] for lane in waiting if lane == name or lane.startswith(f"{name} ")), "")
        reason, at_ms = (error, 0) if error else dead.get(name, ("", 0))
        most = limits.lane if line.lane else limits.target
        rows.append(
            Row(
                line,
                reason,
                at_ms,
                rate=0.0 if line.lane else effective_rate(line.gate, line.mapping, limits.rate),
                concurrency=effective_concurrency(line.gate, line.mapping, most),
            )
        )
    return rows


def _dead_errors(agent: DashboardContext) -> dict[str, tuple[str, int]]:
    """Target or lane → reason and time of its newest dead letter."""
    newest: dict[str, tuple[str, int]] = {}
    for letter in agent.access.pages.page(Filter(), size=RECENT).letters:
        for name in (letter.target, letter.lane):
            newest.setdefault(name, (letter.reason, letter.ended_ms))
    return newest


def limited(gate: TargetControl) -> str:
    """An operator's limits in words."""
    said = [] if gate.rate is None else [f"{gate.rate:g}/s"]
    if gate.concurrency is not None:
        said.append(f"{gate.concurrency} at once")
    return ", ".join(said)

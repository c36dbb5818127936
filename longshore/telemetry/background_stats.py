"""Statistics too slow to compute while a page waits: failed invocations by reason, and the audit. In their own thread.

Each is repeated after a pause in proportion to its duration, so that it keeps Redis busy for a twentieth of its time at
the most. One process of the fleet does the audit for all: its result stands in Redis.
"""

import time
from collections import Counter
from collections.abc import Callable

from longshore.ledger.fleet_audit import FleetAudit
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic

log = EventLog(__name__)

COUNT_INTERVAL_S = 5.0
"""Between two counts of failed invocations."""
AUDIT_INTERVAL_S = 300.0
"""Between two audits of the fleet."""
PAUSE_FACTOR = 20
"""A pause lasts at least this many times the duration of the work before it."""
TICK_S = 1.0
HUNG_S = 3600.0
"""An audit of millions takes its time."""


class BackgroundStats:
    """Counts and audits until `stop`."""

    def __init__(
        self,
        audit: FleetAudit,
        count: Callable[[], Counter[tuple[str, str]]],
        tidy: Callable[[], object],
        audit_interval_s: float = AUDIT_INTERVAL_S,
    ) -> None:
        """`count` counts failed invocations by (state, reason); `tidy` is called after each count."""
        self._audit = audit
        self._count = count
        self._tidy = tidy
        self._audit_interval_s = audit_interval_s
        self._count_at = self._audit_at = 0.0
        self._counts: Counter[tuple[str, str]] | None = None
        self._loop = Periodic("background-stats", TICK_S, self._step, first_s=TICK_S, limit_s=HUNG_S)
        self.start = self._loop.start

    def stop(self) -> None:
        """Ends the thread, without waiting for the step in progress."""
        self._loop.stop(0)

    def failed_by_reason(self) -> Counter[tuple[str, str]] | None:
        """(state, reason) → how many there were at the last count; None before the first."""
        return self._counts

    def _step(self) -> None:
        if time.monotonic() >= self._count_at:
            started_at = time.monotonic()
            try:
                self._counts = self._count()
                self._tidy()
            finally:
                self._count_at = _next(started_at, COUNT_INTERVAL_S)
        if time.monotonic() >= self._audit_at:
            # Whichever process's turn it is does the audit; the others ask again soon, in case it dies.
            self._audit_at = time.monotonic() + self._audit_interval_s / 10
            if self._audit.take_turn(self._audit_interval_s):
                self._audit_once()

    def _audit_once(self) -> None:
        started_at = time.monotonic()
        balance = self._audit.audit()
        duration_s = time.monotonic() - started_at
        self._audit.publish(balance, max(self._audit_interval_s, PAUSE_FACTOR * duration_s))
        if not balance.is_balanced:
            log.event(
                events.AUDIT_MISMATCH,
                unaccounted=balance.unaccounted,
                problems=len(balance.problems) + balance.unlisted,
            )


def _next(started_at: float, min_s: float) -> float:
    now = time.monotonic()
    return now + max(min_s, PAUSE_FACTOR * (now - started_at))

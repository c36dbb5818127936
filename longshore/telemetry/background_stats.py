"""What is too much to be looked at while a page waits: letters by reason, and the audit. In a thread of its own.

Each is done again after a while, a longer one the more it costs, so that Redis is kept busy with it for a twentieth of
its time at the most. The audit is done by one process of the fleet, for all: its result stands in Redis.
"""

import time
from collections import Counter
from collections.abc import Callable

from longshore.ledger.fleet_audit import FleetAudit
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic

log = EventLog(__name__)

COUNT_S = 5.0
"""Between two counts of the letters."""
AUDIT_S = 300.0
"""Between two audits of the fleet."""
SHARE = 20
"""At least so many times what it took."""
LOOK_S = 1.0
HUNG_S = 3600.0
"""An audit of millions takes its time."""


class BackgroundStats:
    """Counts and audits until `stop`."""

    def __init__(
        self,
        audit: FleetAudit,
        count: Callable[[], Counter[tuple[str, str]]],
        tidy: Callable[[], object],
        audit_s: float = AUDIT_S,
    ) -> None:
        """`count` counts the letters; `tidy` is called after each count."""
        self._audit = audit
        self._count = count
        self._tidy = tidy
        self._audit_s = audit_s
        self._count_at = self._audit_at = 0.0
        self._counted: Counter[tuple[str, str]] | None = None
        self._loop = Periodic("slow-metrics", LOOK_S, self._step, first_s=LOOK_S, limit_s=HUNG_S)
        self.start = self._loop.start

    def stop(self) -> None:
        """Ends it, without waiting for what is under way."""
        self._loop.stop(0)

    def letters(self) -> Counter[tuple[str, str]] | None:
        """(state, reason) → how many there were a moment ago; None before the first count."""
        return self._counted

    def _step(self) -> None:
        if time.monotonic() >= self._count_at:
            began = time.monotonic()
            try:
                self._counted = self._count()
                self._tidy()
            finally:
                self._count_at = _next(began, COUNT_S)
        if time.monotonic() >= self._audit_at:
            self._audit_at = time.monotonic() + self._audit_s / 10  # whoever finds that it is its turn does it
            if self._audit.take_turn(self._audit_s):
                self._audit_once()

    def _audit_once(self) -> None:
        began = time.monotonic()
        balance = self._audit.audit()
        took_s = time.monotonic() - began
        self._audit.publish(balance, max(self._audit_s, SHARE * took_s))
        if not balance.is_balanced:
            log.event(
                events.AUDIT_MISMATCH,
                unaccounted=balance.unaccounted,
                problems=len(balance.problems) + balance.unlisted,
                remedy="see `longshore audit`",
            )


def _next(began: float, least_s: float) -> float:
    now = time.monotonic()
    return now + max(least_s, SHARE * (now - began))

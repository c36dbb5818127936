"""What is too much to be looked at while a page waits: letters by reason, and the audit. In a thread of its own.

Each is done again after a while, a longer one the more it costs, so that Redis is kept busy with it for a twentieth of
its time at the most. The audit is done by one process of the fleet, for all: its result stands in Redis.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis
import structlog

from longshore.periodic import Periodic
from longshore.store.audit import Balance, audit
from longshore.store.connection import reaching_store
from longshore.store.keys import Keys

log = structlog.get_logger(__name__)

COUNT_S = 5.0
"""Between two counts of the letters."""
AUDIT_S = 300.0
"""Between two audits of the fleet."""
SHARE = 20
"""At least so many times what it took."""
LOOK_S = 1.0
HUNG_S = 3600.0
"""An audit of millions takes its time."""


class Slow:
    """Counts and audits until `stop`."""

    def __init__(
        self, client: "redis.Redis", keys: Keys, count: Callable[[], Counter[tuple[str, str]]], audit_s: float = AUDIT_S
    ) -> None:
        self._client = client
        self._keys = keys
        self._count = count
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
                self._forget_settled_reports()
            finally:
                self._count_at = _next(began, COUNT_S)
        if time.monotonic() >= self._audit_at:
            self._audit_at = time.monotonic() + self._audit_s / 10  # whoever finds that it is its turn does it
            if self._is_our_turn(self._audit_s):
                self._audit()

    def _forget_settled_reports(self) -> None:
        """A sender of an older version leaves the time since when reports waited that it has sent."""
        with reaching_store():
            oldest: Any = self._client.zrange(self._keys.outbox_since, 0, 19)
            for id in oldest:
                if not self._client.exists(self._keys.reports(id.decode("utf-8", "surrogatepass"))):
                    self._client.zrem(self._keys.outbox_since, id)

    def _is_our_turn(self, for_s: float) -> bool:
        with reaching_store():
            return bool(self._client.set(self._keys.audit_turn, b"1", nx=True, px=round(for_s * 1000)))

    def _audit(self) -> None:
        began = time.monotonic()
        balance = audit(self._client, self._keys)
        took_s = time.monotonic() - began
        with reaching_store():
            seconds, _ = self._client.time()
            self._client.set(self._keys.audited, json.dumps(_told(balance, int(seconds) * 1000)))
            self._client.set(self._keys.audit_turn, b"1", px=round(max(self._audit_s, SHARE * took_s) * 1000))
        if not balance.adds_up:
            log.error(
                "audit.does_not_add_up",
                unaccounted=balance.unaccounted,
                problems=len(balance.problems) + balance.unnamed,
                remedy="see `longshore audit`",
            )


def _told(balance: Balance, at_ms: int) -> dict[str, int]:
    problems = len(balance.problems) + balance.unnamed
    return {"unaccounted": balance.unaccounted, "problems": problems, "at_ms": at_ms}


def _next(began: float, least_s: float) -> float:
    now = time.monotonic()
    return now + max(least_s, SHARE * (now - began))

"""Redis's time, by whatever clock the worker has."""

import time
from typing import Any

from tasks.worker.redis_clock import RedisClock

HOUR_MS = 3_600_000


class Ledger:
    """Of a Redis whose clock is an hour ahead."""

    def clock_ms(self) -> int:
        return round(time.time() * 1000) + HOUR_MS


def test_it_tells_redis_time_once_it_was_measured() -> None:
    """Until then the worker's own: a claim's start is then waited for by it, for a second at most."""
    ledger: Any = Ledger()
    clock = RedisClock()

    assert abs(clock.now_ms() - time.time() * 1000) < HOUR_MS / 2
    clock.measure(ledger)

    assert abs(clock.now_ms() - ledger.clock_ms()) < HOUR_MS / 2
    assert abs(clock.offset_ms - HOUR_MS) < HOUR_MS / 2

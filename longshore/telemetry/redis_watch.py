"""Whether Redis takes writes: asked every second in a thread of its own, so that a probe never waits for it."""

import time

from longshore.errors import StoreUnavailable
from longshore.ledger.redis_probe import RedisProbe, RedisRefused
from longshore.periodic import Periodic
from longshore.telemetry.health import CheckResult

LOOK_S = 1.0


class RedisWatch:
    """Asks through `probe`, whose timeouts should be short."""

    def __init__(self, probe: RedisProbe) -> None:
        self._probe = probe
        self._finding = CheckResult(False, "Redis has not been asked yet")
        self._well_at = time.monotonic()
        self._loop = Periodic("redis-watch", LOOK_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def check(self) -> CheckResult:
        """What the last question found."""
        return self._finding

    def _step(self) -> None:
        lacks = "answered"
        try:
            self._probe.ping()
            lacks = "taken a write"
            self._probe.write()
        except (StoreUnavailable, RedisRefused) as error:
            away_s = time.monotonic() - self._well_at
            self._finding = CheckResult(False, f"Redis has not {lacks} for {away_s:.0f} s ({error})")
        else:
            self._well_at = time.monotonic()
            self._finding = CheckResult(True, "Redis answers and takes writes")

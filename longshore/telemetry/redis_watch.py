"""Whether Redis takes writes: checked every second in a thread of its own, so that a probe never waits for it."""

import time

from longshore.errors import StoreUnavailable
from longshore.ledger.redis_probe import RedisProbe, RedisRefused
from longshore.periodic import Periodic
from longshore.telemetry.health import CheckResult

CHECK_INTERVAL_S = 1.0


class RedisWatch:
    """Checks through `probe`, whose timeouts should be short."""

    def __init__(self, probe: RedisProbe) -> None:
        self._probe = probe
        self._result = CheckResult(False, "Redis has not been asked yet")
        self._ok_at = time.monotonic()
        self._loop = Periodic("redis-watch", CHECK_INTERVAL_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def check(self) -> CheckResult:
        """The result of the last check."""
        return self._result

    def _step(self) -> None:
        missing = "answered"
        try:
            self._probe.ping()
            missing = "taken a write"
            self._probe.write()
        except (StoreUnavailable, RedisRefused) as error:
            away_s = time.monotonic() - self._ok_at
            self._result = CheckResult(False, f"Redis has not {missing} for {away_s:.0f} s ({error})")
        else:
            self._ok_at = time.monotonic()
            self._result = CheckResult(True, "Redis answers and takes writes")

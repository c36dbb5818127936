"""Whether Redis takes writes: asked every second in a thread of its own, so that a probe never waits for it."""

import time

import redis

from longshore.errors import StoreUnavailable
from longshore.periodic import Periodic
from longshore.store.connection import reaching_store
from longshore.store.keys import Keys
from longshore.telemetry.health import Finding

LOOK_S = 1.0


class RedisWatch:
    """Asks through `client`, whose timeouts should be short."""

    def __init__(self, client: "redis.Redis", keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._finding = Finding(False, "Redis has not been asked yet")
        self._well_at = time.monotonic()
        self._loop = Periodic("redis-watch", LOOK_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def check(self) -> Finding:
        """What the last question found."""
        return self._finding

    def _step(self) -> None:
        lacks = "answered"
        try:
            with reaching_store():
                self._client.ping()
                lacks = "taken a write"
                # Changes nothing and is written nowhere, but is refused like any other: as by a replica, by a Redis
                # that is full, and by one that cannot write to its disk.
                self._client.setrange(self._keys.room, 0, "")
        except (StoreUnavailable, redis.RedisError) as error:
            away_s = time.monotonic() - self._well_at
            self._finding = Finding(False, f"Redis has not {lacks} for {away_s:.0f} s ({error})")
        else:
            self._well_at = time.monotonic()
            self._finding = Finding(True, "Redis answers and takes writes")

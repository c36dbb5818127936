"""Whether Redis takes writes: asked every second in a thread of its own, so that a probe never waits for it."""

import threading
import time

import redis

from longshore.errors import StoreUnavailable
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
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis-watch", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it after the question under way."""
        self._stop.set()

    def check(self) -> Finding:
        """What the last question found."""
        return self._finding

    def _run(self) -> None:
        while not self._stop.is_set():
            lacks = "answered"
            try:
                with reaching_store():
                    self._client.ping()
                    lacks = "taken a write"
                    # Changes nothing and is written nowhere, but is refused like any other: as by a replica, by a
                    # Redis that is full, and by one that cannot write to its disk.
                    self._client.setrange(self._keys.room, 0, "")
            except (StoreUnavailable, redis.RedisError) as error:
                away_s = time.monotonic() - self._well_at
                self._finding = Finding(False, f"Redis has not {lacks} for {away_s:.0f} s ({error})")
            else:
                self._well_at = time.monotonic()
                self._finding = Finding(True, "Redis answers and takes writes")
            self._stop.wait(LOOK_S)

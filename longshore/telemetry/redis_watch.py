"""Whether Redis answers: asked every second in a thread of its own, so that a probe never waits for it."""

import threading
import time

import redis

from longshore.errors import StoreUnavailable
from longshore.store.connection import reaching_store
from longshore.telemetry.health import Finding

LOOK_S = 1.0


class RedisWatch:
    """Asks through `client`, whose timeouts should be short."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._finding = Finding(False, "Redis has not been asked yet")
        self._away_since = time.monotonic()
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
            try:
                with reaching_store():
                    self._client.ping()
            except (StoreUnavailable, redis.RedisError) as error:
                away_s = time.monotonic() - self._away_since
                self._finding = Finding(False, f"Redis has not answered for {away_s:.0f} s ({error})")
            else:
                self._away_since = time.monotonic()
                self._finding = Finding(True, "Redis answers")
            self._stop.wait(LOOK_S)

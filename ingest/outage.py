"""An outage of something we need: logged when it begins and when it ends, with a growing wait between two tries."""

import random
import threading
import time

from longshore.log.event_log import EventLog, OutageEvents

log = EventLog(__name__)

FIRST_WAIT_S = 0.1
MAX_WAIT_S = 5.0
"""A dependency that comes back is noticed within this time."""
GROWTH = 1.6


class Outage:
    """The present or the next outage of what `events` are about. `wait` from one thread only; `is_on` from any."""

    def __init__(
        self,
        events: OutageEvents,
        stop: threading.Event,
        *,
        first_wait_s: float = FIRST_WAIT_S,
        max_wait_s: float = MAX_WAIT_S,
    ) -> None:
        """`stop` ends every wait at once."""
        self._events = events
        self._stop = stop
        self._first_wait_s = first_wait_s
        self._max_wait_s = max_wait_s
        self._wait_s = first_wait_s
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether it is away now, as far as is known."""
        return self._since is not None

    def begin(self, problem: object) -> None:
        """It is away; logged the first time."""
        if self._since is None:
            self._since = time.monotonic()
            log.event(self._events.started, problem=str(problem)[:300])

    def wait(self, problem: object, min_wait_s: float = 0) -> None:
        """It is away: wait before the next try, longer each time, at random so that not all come back at once."""
        self.begin(problem)
        wait_s = max(self._wait_s * random.uniform(0.75, 1.25), min_wait_s)
        log.event(self._events.continued, problem=str(problem)[:300], wait_s=round(wait_s, 2))
        self._stop.wait(wait_s)
        self._wait_s = min(self._wait_s * GROWTH, self._max_wait_s)

    def end(self) -> None:
        """It answers; logged if it had been away."""
        if self._since is not None:
            log.event(self._events.ended, after_s=round(time.monotonic() - self._since, 1))
            self._since = None
            self._wait_s = self._first_wait_s

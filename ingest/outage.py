"""Being without something we need: said once when it begins and once when it ends, and waited for ever longer."""

import random
import threading
import time

from longshore.log.event_log import EventLog, OutageEvents

log = EventLog(__name__)

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
"""A dependency that comes back is found within this time."""
GROWTH = 1.6


class Outage:
    """The present or next outage of what `events` are about. `wait` from one thread only; `is_on` from any."""

    def __init__(
        self,
        events: OutageEvents,
        stop: threading.Event,
        *,
        first_wait_s: float = FIRST_WAIT_S,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        """`stop` ends every wait at once."""
        self._events = events
        self._stop = stop
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._wait_s = first_wait_s
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether it is away now, as far as is known."""
        return self._since is not None

    def begins(self, problem: object) -> None:
        """It is away; logged the first time."""
        if self._since is None:
            self._since = time.monotonic()
            log.event(self._events.started, problem=str(problem)[:300])

    def wait(self, problem: object, at_least_s: float = 0) -> None:
        """It is away: wait before the next try, longer each time, at random so that not all come back at once."""
        self.begins(problem)
        wait_s = max(self._wait_s * random.uniform(0.75, 1.25), at_least_s)
        log.event(self._events.continued, problem=str(problem)[:300], wait_s=round(wait_s, 2))
        self._stop.wait(wait_s)
        self._wait_s = min(self._wait_s * GROWTH, self._longest_wait_s)

    def over(self) -> None:
        """It answers; logged if it had been away."""
        if self._since is not None:
            log.event(self._events.ended, after_s=round(time.monotonic() - self._since, 1))
            self._since = None
            self._wait_s = self._first_wait_s

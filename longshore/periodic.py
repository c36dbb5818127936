"""The one way in which a thread of ours does something again and again.

A step may raise whatever it likes: the thread goes on, later and later. Its pulse is a completed step, or one that only
waits for something that is away; liveness asks for it (`stalled`), so a thread that hangs, or that fails and fails, is
seen by whoever can replace the program. It lies below all rooms rather than in `runtime/`: delivery's deadlines and
telemetry's checks of liveness need it, too.
"""

import os
import threading
import time
from collections.abc import Callable

from longshore.errors import LongshoreError, place_of
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

LONGEST_PAUSE_S = 2.0
"""Between tries while Redis or Port is away: long enough to be cheap, short enough to resume."""

LIMIT_S = 300.0
"""A step that takes longer has hung: whatever it asks has a time limit of its own, far below."""


class Periodic:
    """Calls `step` every `interval_s` seconds, or when `step` says so by returning a pause in seconds."""

    def __init__(
        self,
        name: str,
        interval_s: float,
        step: Callable[[], float | None],
        *,
        first_s: float = 0.0,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`first_s`: before the first step. Without a pulse for `limit_s` the thread counts as stalled."""
        self.name = name
        self._interval_s = interval_s
        self._step = step
        self._first_s = first_s
        self._limit_s = limit_s
        self._clock = clock
        self._turned_at = clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self.turn()
        self._thread.start()
        with _lock:
            _running.add(self)

    def stop(self, wait_s: float = 5.0) -> None:
        """Ends the thread after the step under way, which is waited for as long as this."""
        with _lock:
            _running.discard(self)
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    def turn(self) -> None:
        """A step that waits for long, and knows for what, shows by this that it has not hung."""
        self._turned_at = self._clock()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> threading.Event:
        """Set once the thread is to end; for steps that wait."""
        return self._stop

    def still_s(self) -> float:
        """Seconds since its last pulse, if they are too many; otherwise 0."""
        still_s = self._clock() - self._turned_at
        return still_s if still_s > self._limit_s or not self.alive else 0.0

    def _run(self) -> None:
        failures = 0
        pause_s = self._first_s
        while not self._stop.wait(pause_s):
            try:
                asked_s = self._step()
            # Also SystemExit of a library: a thread that ends without a word is what must never be.
            except BaseException as error:
                failures += 1
                self._say(error, failures)
                pause_s = min(max(self._interval_s, 0.1) * 2 ** min(failures, 10), LONGEST_PAUSE_S)
                continue
            self.turn()
            if failures:
                log.event(events.LOOP_RESUMED, loop=self.name, failures=failures)
            failures = 0
            pause_s = self._interval_s if asked_s is None else asked_s

    def _say(self, error: BaseException, failures: int) -> None:
        if isinstance(error, LongshoreError):
            self.turn()
            if failures == 1:
                log.event(events.LOOP_DELAYED, loop=self.name, error=str(error))
        elif failures in (1, 10, 100) or failures % 1000 == 0:
            log.event(
                events.LOOP_FAILED, loop=self.name, failures=failures, error=type(error).__name__, at=place_of(error)
            )


_lock = threading.Lock()
_running: set[Periodic] = set()


def _forget_parent() -> None:
    """A forked child has none of its parent's threads."""
    global _lock
    _lock = threading.Lock()
    _running.clear()


os.register_at_fork(after_in_child=_forget_parent)


def stalled() -> dict[str, float]:
    """The threads that were started and not stopped, and have no pulse: their names, and for how many seconds."""
    with _lock:
        running = list(_running)
    return {one.name: still_s for one in running if (still_s := one.still_s())}

"""A loop in a thread of its own: runs a step again and again, survives whatever the step raises, and can be stopped."""

import threading
from collections.abc import Callable

import structlog

from longshore.errors import LongshoreError

log = structlog.get_logger(__name__)

_LONGEST_PAUSE_S = 2.0  # between tries while Redis or Port is away: long enough to be cheap, short enough to resume


class Loop:
    """Calls `step` every `interval_s` seconds, or sooner when `step` says so by returning a pause in seconds."""

    def __init__(self, name: str, interval_s: float, step: Callable[[], float | None]) -> None:
        self._name = name
        self._interval_s = interval_s
        self._step = step
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """Ends the loop after the step under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        failures = 0
        pause_s = 0.0
        while not self._stop.wait(pause_s):
            try:
                asked_s = self._step()
            except Exception as error:
                # Redis away, or a fault of ours: either way the loop must go on, or this process would end deaf.
                failures += 1
                self._say(error, failures)
                pause_s = min(self._interval_s * 2**failures, _LONGEST_PAUSE_S)
                continue
            if failures:
                log.info("loop.resumed", loop=self._name, failures=failures)
            failures = 0
            pause_s = self._interval_s if asked_s is None else asked_s

    def _say(self, error: Exception, failures: int) -> None:
        if isinstance(error, LongshoreError):
            if failures == 1:
                log.warning("loop.waits", loop=self._name, error=str(error))
        elif failures in (1, 10, 100) or failures % 1000 == 0:
            log.error("loop.failed", loop=self._name, failures=failures, error=type(error).__name__, exc_info=True)

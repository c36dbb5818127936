"""How long to wait after a failed poll, and when to give up (wire contract, polling mode)."""

import random
import time
from collections.abc import Callable

from config.settings import Settings
from ingest.source import SourceLost
from longshore.telemetry.health import CheckResult

READINESS_GRACE_S = 60.0
"""For so long polls may fail, after one has succeeded, before the program is not ready; or half of what ends it."""


class PollBackoff:
    """The failures in a row. For the thread that polls; `check` from any."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._initial_s = float(settings.polling_initial_backoff_seconds)
        self._factor = settings.polling_backoff_factor
        self._max_s = settings.polling_max_backoff_seconds
        self._jitter = settings.polling_backoff_jitter_factor
        self._limit_s = settings.polling_max_failure_duration_seconds
        self._clock = clock
        self._uniform = uniform
        self._wait_s = self._initial_s
        self._since: float | None = None
        self._has_succeeded = False
        self._problem = ""

    def note_success(self) -> None:
        """A round of polls went well."""
        self._wait_s, self._since, self._has_succeeded = self._initial_s, None, True

    def note_failure(self, problem: str) -> float:
        """A round did not. Returns the seconds to wait; raises `SourceLost` when it has lasted too long."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        self._problem = problem
        if now - self._since > self._limit_s:
            raise SourceLost(problem)
        wait_s = self._wait_s
        self._wait_s = min(wait_s * self._factor, self._max_s)
        return wait_s + self._uniform(0, wait_s * self._jitter)

    def check(self) -> CheckResult:
        """Whether Port lets us poll: red long before it is given up, and after a restart until a round went well."""
        since = self._since
        if since is None:
            return CheckResult(True, "Port answers polls" if self._has_succeeded else "Port was not polled yet")
        failing_s = self._clock() - since
        grace_s = min(READINESS_GRACE_S, self._limit_s / 2) if self._has_succeeded else 0
        return CheckResult(failing_s < grace_s, f"polls have failed for {failing_s:.0f} s: {self._problem}")

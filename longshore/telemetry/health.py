"""Whether this program is alive and whether it is ready, and why not, in plain words.

Alive is progress: a program that is not should be replaced. Ready is having what it depends on: a program that is not
should be left to wait. The parts of a program add their checks here; the page runs them all.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from longshore import periodic


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check, and one sentence about it."""

    ok: bool
    text: str


MAPPING = "mapping"
FILES = (MAPPING, "TARGETS_FILE", "LIMITS_FILE")
"""Names of checks that always pass, and say what is in force, and why a file that was changed is not."""

Check = Callable[[], CheckResult]


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """The results of all checks of one kind, by name."""

    results: Mapping[str, CheckResult]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(result.ok for result in self.results.values())

    def json(self) -> dict[str, Any]:
        """For the page: `ok`, the sentences of the checks that failed (`why`), and all checks."""
        return {
            "ok": self.ok,
            "why": [f"{name}: {result.text}" for name, result in self.results.items() if not result.ok],
            "checks": {name: {"ok": result.ok, "says": result.text} for name, result in self.results.items()},
        }

    @classmethod
    def parse(cls, answer: Any) -> "HealthVerdict":
        """The verdict in an answer that `json` made. Raises ValueError for anything else."""
        try:
            checks = answer["checks"].items()
            return cls({name: CheckResult(bool(check["ok"]), str(check["says"])) for name, check in checks})
        except (AttributeError, KeyError, TypeError):
            raise ValueError("not an answer about health") from None


class Health:
    """The checks of one program. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}

    def alive_if(self, name: str, check: Check) -> None:
        """Adds a check of progress, in place of one of that name."""
        with self._lock:
            self._live[name] = check

    def ready_if(self, name: str, check: Check) -> None:
        """Adds a check of a dependency, in place of one of that name."""
        with self._lock:
            self._ready[name] = check

    def live(self) -> HealthVerdict:
        """Whether it makes progress."""
        return self._run(self._live)

    def ready(self) -> HealthVerdict:
        """Whether it makes progress and has what it depends on."""
        alive = self.live()
        return HealthVerdict({**alive.results, **self._run(self._ready).results})

    def _run(self, checks: Mapping[str, Check]) -> HealthVerdict:
        with self._lock:
            copy = dict(checks)  # so that a slow check holds up nobody who adds one
        return HealthVerdict({name: check() for name, check in copy.items()})


class LoopHeartbeat:
    """A loop beats at each turn, and is not alive when it has not for `limit_s` seconds. Thread safe."""

    def __init__(self, what: str, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`what` names the loop in a sentence, e.g. "the loop that reads Kafka"."""
        self._what = what
        self._limit_s = limit_s
        self._clock = clock
        self._beat_at = clock()

    def beat(self) -> None:
        """Called at each turn of the loop; costs nothing."""
        self._beat_at = self._clock()

    def check(self) -> CheckResult:
        """Whether the loop turns."""
        silence_s = self._clock() - self._beat_at
        if silence_s > self._limit_s:
            return CheckResult(False, f"{self._what} has not turned for {silence_s:.0f} s")
        return CheckResult(True, f"{self._what} turns")


def _check_threads() -> CheckResult:
    stalled = periodic.stalled()
    if not stalled:
        return CheckResult(True, "every periodic thread works")
    return CheckResult(
        False, "; ".join(f"the thread {name} has done nothing for {s:.0f} s" for name, s in stalled.items())
    )


PROCESS_HEALTH = Health()
"""The checks of this process."""
PROCESS_HEALTH.alive_if("threads", _check_threads)

"""Whether this program is alive and whether it is ready, and why not, in plain words.

Alive is progress: a program that is not should be replaced. Ready is having what it depends on: a program that is not
should be left to wait. The parts of a program add their checks here; the page asks them all.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from longshore import periodic


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found, and one sentence about it."""

    ok: bool
    says: str


Check = Callable[[], CheckResult]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all checks of one kind found."""

    findings: Mapping[str, CheckResult]

    @property
    def ok(self) -> bool:
        """Whether every check is content."""
        return all(finding.ok for finding in self.findings.values())

    def json(self) -> dict[str, Any]:
        """For the page: `ok`, the sentences of those that are not content, and all of them."""
        return {
            "ok": self.ok,
            "why": [f"{name}: {finding.says}" for name, finding in self.findings.items() if not finding.ok],
            "checks": {name: {"ok": finding.ok, "says": finding.says} for name, finding in self.findings.items()},
        }

    @classmethod
    def read(cls, told: Any) -> "Verdict":
        """What `json` made. Raises ValueError for anything else."""
        try:
            checks = told["checks"].items()
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

    def live(self) -> Verdict:
        """Whether it makes progress."""
        return self._asked(self._live)

    def ready(self) -> Verdict:
        """Whether it makes progress and has what it depends on."""
        alive = self.live()
        return Verdict({**alive.findings, **self._asked(self._ready).findings})

    def _asked(self, checks: Mapping[str, Check]) -> Verdict:
        with self._lock:
            present = dict(checks)
        return Verdict({name: check() for name, check in present.items()})


class LoopHeartbeat:
    """A loop's sign of life: it turns, and is not alive when it has not for `limit_s` seconds. Thread safe."""

    def __init__(self, what: str, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`what` names the loop in a sentence, e.g. "the loop that reads Kafka"."""
        self._what = what
        self._limit_s = limit_s
        self._clock = clock
        self._turned_at = clock()

    def turn(self) -> None:
        """The loop has come round. Cheap enough for every turn."""
        self._turned_at = self._clock()

    def check(self) -> CheckResult:
        """Whether it turns."""
        still_s = self._clock() - self._turned_at
        if still_s > self._limit_s:
            return CheckResult(False, f"{self._what} has not turned for {still_s:.0f} s")
        return CheckResult(True, f"{self._what} turns")


def _threads() -> CheckResult:
    still = periodic.stalled()
    if not still:
        return CheckResult(True, "every thread that works again and again does")
    return CheckResult(
        False, "; ".join(f"the thread {name} has done nothing for {s:.0f} s" for name, s in still.items())
    )


PROCESS_HEALTH = Health()
"""The checks of this process."""
PROCESS_HEALTH.alive_if("threads", _threads)

"""One child process that is kept running: started when it is due, restarted when it dies, replaced when it hangs.

Owns the process and its timing: back-off before a restart, grace between SIGTERM and SIGKILL. Leaves to
`longshore.runtime.supervisor` in which order children start and stop.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from longshore.errors import EX_CONFIG, place_of
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

FIRST_WAIT_S = 0.5
"""Before the first restart: a port or a lock that the dead child held has time to be free."""
MAX_WAIT_S = 10.0
SETTLED_S = 30.0
"""A child that lived this long has not failed to start: its next wait is the first one again."""
HURRY_S = 1.0
"""The grace after a second signal."""

_LAUNCHER = Path(__file__).with_name("die_with_parent.py")


@dataclass(frozen=True, slots=True)
class Child:
    """What to run, and how it is to be stopped.

    Children with a lower `order` are stopped earlier and started later. `stop_grace_s` is the time between SIGTERM and
    SIGKILL. Children of a later order are stopped when those of an earlier one are gone, or `max_block_s` after SIGTERM
    went to the earlier ones, if that is sooner; None: only when they are gone. `env` None inherits the environment.
    `output` is a file to append to instead of our own output.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    stop_grace_s: float = 10.0
    order: int = 0
    max_block_s: float | None = None
    output: Path | None = None


class Observer(Protocol):
    """Checks children from outside. Both methods must be quick."""

    def on_start(self, name: str) -> None:
        """The process of this child is started now, for the first time or again."""

    def find_problem(self, name: str) -> str:
        """Why this child, whose process runs, has to be replaced; empty: it need not be."""


def restart_wait_s(previous_s: float, alive_s: float) -> float:
    """Seconds to wait before a restart, after a wait of `previous_s` (0: none yet) and a life of `alive_s`."""
    if previous_s == 0 or alive_s >= SETTLED_S:
        return FIRST_WAIT_S
    return min(previous_s * 2, MAX_WAIT_S)


class ManagedProcess:
    """A child, its process if it has one, and when that is due to be started or killed (monotonic seconds)."""

    def __init__(self, child: Child, observer: Observer | None) -> None:
        self.child = child
        self._observer = observer
        self._process: subprocess.Popen[bytes] | None = None
        self._wait_s = 0.0
        self._started_at = 0.0
        self._due_at = 0.0
        self._terminated_at: float | None = None
        self._is_killed = False

    @property
    def pid(self) -> int:
        """The process id, 0 without a process."""
        return self._process.pid if self._process else 0

    def poll(self) -> int | None:
        """Start the process when it is due, end it when it hangs; returns the exit code when it has just died.

        Never raises: one that cannot be started now (no process, no memory, no log file) must end no other child.
        """
        try:
            return self._poll()
        except Exception as error:
            self._wait_s = restart_wait_s(self._wait_s, 0)
            self._due_at = time.monotonic() + self._wait_s
            log.event(
                events.CHILD_CHECK_FAILED,
                child=self.child.name,
                error=type(error).__name__,
                at=place_of(error),
                again_in_s=self._wait_s,
            )
            return None

    def terminate(self) -> None:
        """Ask the process to end, once."""
        if self._terminated_at is None:
            self._terminated_at = time.monotonic()
            if self._process is not None and self._reap() is None:
                self._process.terminate()

    def blocks_next(self, *, hurry: bool) -> bool:
        """Whether children of a later order still have to wait for this one, after `terminate`."""
        if self._terminated_at is None or not self.still_running(hurry=hurry):
            return False
        max_block_s = self.child.max_block_s
        return max_block_s is None or time.monotonic() < self._terminated_at + max_block_s

    def still_running(self, *, hurry: bool) -> bool:
        """Whether the process still runs after `terminate`; kills it when its grace is over."""
        if self._process is None or self._terminated_at is None:
            return False
        code = self._reap()
        if code is not None:
            log.event(events.CHILD_STOPPED, child=self.child.name, ended=_describe_exit(code))
            return False
        self._kill_after(min(self.child.stop_grace_s, HURRY_S) if hurry else self.child.stop_grace_s)
        return True

    def _poll(self) -> int | None:
        now = time.monotonic()
        if self._process is None:
            if now >= self._due_at:
                self._spawn()
            return None
        code = self._reap()
        if code is not None:
            self._wait_s = restart_wait_s(self._wait_s, now - self._started_at)
            self._due_at = now + self._wait_s
            restart: dict[str, object] = {} if code == EX_CONFIG else {"restart_in_s": self._wait_s}
            log.event(events.CHILD_DIED, child=self.child.name, ended=_describe_exit(code), **restart)
        elif self._terminated_at is not None:
            self._kill_after(self.child.stop_grace_s)
        elif self._observer and (problem := self._observer.find_problem(self.child.name)):
            log.event(events.CHILD_REPLACED, child=self.child.name, pid=self.pid, why=problem)
            self.terminate()
        return code

    def _kill_after(self, grace_s: float) -> None:
        """Kill the process once `grace_s` have passed since `terminate`."""
        terminated_at = self._terminated_at
        if self._process and terminated_at and time.monotonic() >= terminated_at + grace_s and not self._is_killed:
            log.event(events.CHILD_KILLED, child=self.child.name, grace_s=grace_s)
            self._process.kill()
            self._is_killed = True

    def _spawn(self) -> None:
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
        self._started_at = time.monotonic()
        self._terminated_at, self._is_killed = None, False
        if self._observer:
            self._observer.on_start(self.child.name)
        with _open_output(self.child.output) as output:
            # A session of its own, so that Ctrl-C at the terminal reaches the supervisor alone.
            self._process = subprocess.Popen(
                [*launcher, *self.child.argv],
                env=self.child.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        log.event(events.CHILD_STARTED, child=self.child.name, pid=self._process.pid)

    def _reap(self) -> int | None:
        """The exit code if the process has ended; then it is reaped, and what it left running is killed."""
        if self._process is None:
            return None
        status = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if status is None:
            return None
        # Kill its process group before reaping it: afterwards the group's number can belong to somebody else.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        self._process = None
        return code


def _describe_exit(code: int) -> str:
    """How a process ended, in words."""
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


@contextmanager
def _open_output(path: Path | None) -> Iterator[int | None]:
    """A descriptor that appends to `path`, or None for our own output."""
    if path is None:
        yield None
        return
    with path.open("ab") as file:
        yield file.fileno()

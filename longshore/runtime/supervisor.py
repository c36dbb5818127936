"""A foreground tree of processes: started, restarted when they die, stopped in order.

Owns the processes of `longshore run` and of the sandbox. Promises that no child outlives it, not even when it is killed
with SIGKILL; that a child which dies comes back, and one that hangs is replaced; and that stopping ends within the
graces given. Leaves to the children what they do, and to their own shutdown what they save.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import FrameType, TracebackType
from typing import Protocol

from longshore.errors import EX_CONFIG, place_of
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

FIRST_WAIT_S = 0.5
"""Before the first restart: a port or a lock that the dead child held has time to be free."""
LONGEST_WAIT_S = 10.0
SETTLED_S = 30.0
"""A child that lived this long has not failed to start: its next wait is the first one again."""
TICK_S = 0.05
"""How often children and signals are looked at; a look costs some microseconds."""
HURRY_S = 1.0
"""The grace after a second signal."""

_LAUNCHER = Path(__file__).with_name("die_with_parent.py")


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep alive.

    Children with a lower `order` are stopped earlier and started later. `stop_grace_s` is the time between SIGTERM and
    SIGKILL. Those of a later order are stopped when the earlier ones have gone, or `hold_s` after they were told to, if
    that is sooner; None waits. `env` None inherits the environment. `output` is a file to append to instead of ours.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    stop_grace_s: float = 10.0
    order: int = 0
    hold_s: float | None = None
    output: Path | None = None


class Observer(Protocol):
    """Looks at children from outside. Both methods must be quick."""

    def started(self, name: str) -> None:
        """This child was started just now, or anew."""

    def trouble(self, name: str) -> str:
        """Why this child, which runs, has to be replaced; empty: it need not be."""


def restart_wait_s(previous_s: float, alive_s: float) -> float:
    """Seconds to wait before a restart, after a wait of `previous_s` (0: none yet) and a life of `alive_s`."""
    if previous_s == 0 or alive_s >= SETTLED_S:
        return FIRST_WAIT_S
    return min(previous_s * 2, LONGEST_WAIT_S)


class Supervisor:
    """Keeps children alive, either in the foreground (`run`) or beside other work (`start` and `stop`).

    `reap_orphans` also collects processes that were left to us by others, which is the duty of PID 1. It must stay off
    where anything else in this process waits for children of its own.
    """

    def __init__(
        self, children: Sequence[Child], observer: Observer | None = None, *, reap_orphans: bool | None = None
    ) -> None:
        self._kept = [_Kept(child, observer) for child in sorted(children, key=lambda child: child.order)]
        self._reap_orphans = os.getpid() == 1 if reap_orphans is None else reap_orphans
        self._stop_requests = 0
        self._signal = ""
        self._exit_code = 0
        self._thread: threading.Thread | None = None

    def run(self) -> int:
        """Supervise until SIGTERM, SIGINT or SIGHUP (a second one hurries); returns the exit code. Main thread only.

        That is 0, or 78 when a child ended because its settings are wrong: restarting would not help.
        """
        with _signals_to(self._on_signal):
            self._supervise()
        return self._exit_code

    def start(self) -> None:
        """Start the children, and supervise in a thread."""
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self, *, hurry: bool = False) -> int:
        """Stop what `start` started, wait until all are gone, and return the exit code as `run` does."""
        self.request_stop(hurry=hurry)
        if self._thread is not None:
            self._thread.join()
        return self._exit_code

    def request_stop(self, *, hurry: bool = False) -> None:
        """Begin to stop, without waiting; asked again, or with `hurry`, whoever is left gets a second at the most."""
        self._stop_requests += 2 if hurry else 1

    def pids(self) -> dict[str, int]:
        """The process ids of the children that live now, by name."""
        return {kept.child.name: kept.pid for kept in self._kept if kept.pid}

    def __enter__(self) -> "Supervisor":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # Nothing but this: it may interrupt anything, a half-written log line too.
        self._signal = signal.Signals(number).name
        self._stop_requests += 1

    def _supervise(self) -> None:
        try:
            while not self._stop_requests:
                # Last to stop is first to start: Redis before those who need it.
                for kept in reversed(self._kept):
                    if _tended(kept) == EX_CONFIG:
                        self._exit_code = EX_CONFIG
                        self.request_stop()
                self._pause()
        finally:
            self._stop_all()

    def _stop_all(self) -> None:
        log.event(events.SUPERVISOR_STOP_REQUESTED, **({"signal": self._signal} if self._signal else {}))
        stopping: list[_Kept] = []
        for _, group in groupby(self._kept, key=lambda kept: kept.child.order):
            stopping.extend(group)
            for kept in stopping:
                kept.terminate()
            while any(kept.holds(hurry=self._stop_requests > 1) for kept in stopping):
                self._pause()
        while any(kept.lives_on(hurry=self._stop_requests > 1) for kept in stopping):
            self._pause()
        self._collect_orphans()

    def _pause(self) -> None:
        self._collect_orphans()
        time.sleep(TICK_S)

    def _collect_orphans(self) -> None:
        ours = set(self.pids().values())
        while self._reap_orphans:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            # One of ours is left for `tend`, which wants its exit code; those behind it come with the next look.
            if found is None or found.si_pid in ours:
                return
            os.waitpid(found.si_pid, 0)


class _Kept:
    """A child, its process if it has one, and when it is due to be started or killed (monotonic seconds)."""

    def __init__(self, child: Child, observer: Observer | None) -> None:
        self.child = child
        self.observer = observer
        self.process: subprocess.Popen[bytes] | None = None
        self.wait_s = 0.0
        self.started_at = 0.0
        self.due_at = 0.0
        self.told_at: float | None = None
        self.killed = False

    @property
    def pid(self) -> int:
        """The process id, 0 without a process."""
        return self.process.pid if self.process else 0

    def tend(self) -> int | None:
        """Start the process when it is due, end it when it hangs; returns the exit code when it has just died."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.due_at:
                self._spawn()
            return None
        code = self._exit_code()
        if code is not None:
            self.wait_s = restart_wait_s(self.wait_s, now - self.started_at)
            self.due_at = now + self.wait_s
            again: dict[str, object] = {} if code == EX_CONFIG else {"restart_in_s": self.wait_s}
            log.event(events.CHILD_DIED, child=self.child.name, ended=_ended(code), **again)
        elif self.told_at is not None:
            self._kill_after(self.child.stop_grace_s)
        elif self.observer and (why := self.observer.trouble(self.child.name)):
            log.event(events.CHILD_REPLACED, child=self.child.name, pid=self.pid, why=why)
            self.terminate()
        return code

    def terminate(self) -> None:
        """Ask the process to end, once."""
        if self.told_at is None:
            self.told_at = time.monotonic()
            if self.process is not None and self._exit_code() is None:
                self.process.terminate()

    def holds(self, *, hurry: bool) -> bool:
        """Whether those of a later order still have to wait for this one, which was told to end."""
        if self.told_at is None or not self.lives_on(hurry=hurry):
            return False
        return self.child.hold_s is None or time.monotonic() < self.told_at + self.child.hold_s

    def lives_on(self, *, hurry: bool) -> bool:
        """Whether it still lives; kills it when its grace is over."""
        if self.process is None or self.told_at is None:
            return False
        code = self._exit_code()
        if code is not None:
            log.event(events.CHILD_STOPPED, child=self.child.name, ended=_ended(code))
            return False
        self._kill_after(min(self.child.stop_grace_s, HURRY_S) if hurry else self.child.stop_grace_s)
        return True

    def _kill_after(self, grace_s: float) -> None:
        """Kill the process, which was told to end, once it has had its grace."""
        if self.process and self.told_at and time.monotonic() >= self.told_at + grace_s and not self.killed:
            log.event(events.CHILD_KILLED, child=self.child.name, grace_s=grace_s)
            self.process.kill()
            self.killed = True

    def _spawn(self) -> None:
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
        self.started_at = time.monotonic()
        self.told_at, self.killed = None, False
        if self.observer:
            self.observer.started(self.child.name)
        with _output(self.child.output) as output:
            # A session of its own, so that Ctrl-C at the terminal reaches the supervisor alone.
            self.process = subprocess.Popen(
                [*launcher, *self.child.argv],
                env=self.child.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        log.event(events.CHILD_STARTED, child=self.child.name, pid=self.process.pid)

    def _exit_code(self) -> int | None:
        """The exit code if the process has ended; then it is forgotten, and what it left running is killed."""
        if self.process is None:
            return None
        ended = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        # Before it is reaped, while its process group's number cannot belong to anybody else.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        self.process = None
        return code


def _tended(kept: _Kept) -> int | None:
    """What `tend` returns. One that cannot be looked after now (no process, no memory, no log file) ends no other."""
    try:
        return kept.tend()
    except Exception as error:
        kept.wait_s = restart_wait_s(kept.wait_s, 0)
        kept.due_at = time.monotonic() + kept.wait_s
        log.event(
            events.CHILD_CHECK_FAILED,
            child=kept.child.name,
            error=type(error).__name__,
            at=place_of(error),
            again_in_s=kept.wait_s,
        )
        return None


def _ended(code: int) -> str:
    """How a process ended, in words."""
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


@contextmanager
def _output(path: Path | None) -> Iterator[int | None]:
    """A descriptor that appends to `path`, or None for our own output."""
    if path is None:
        yield None
        return
    with path.open("ab") as file:
        yield file.fileno()


@contextmanager
def _signals_to(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """The signals that ask for an end go to `handler` meanwhile."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)

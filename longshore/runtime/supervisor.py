"""A foreground tree of processes: started, restarted when they die, stopped in order.

Owns the processes of `longshore run` and of the sandbox. Promises that no child outlives it, not even when it is killed
with SIGKILL; that a child which dies is restarted, and one that hangs is replaced; and that stopping ends within the
graces of the children. Leaves one child's process to `longshore.runtime.managed_process`, and to the children what they
do and save when they are stopped.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from types import FrameType, TracebackType

from longshore.errors import EX_CONFIG
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.runtime.managed_process import Child, ManagedProcess, Observer

log = EventLog(__name__)

TICK_S = 0.05
"""How often children and signals are checked; a check costs some microseconds."""


class Supervisor:
    """Keeps children running, either in the foreground (`run`) or beside other work (`start` and `stop`).

    `reap_orphans` also reaps processes that others left to us, which is the duty of PID 1. It must stay off where
    anything else in this process waits for children of its own.
    """

    def __init__(
        self, children: Sequence[Child], observer: Observer | None = None, *, reap_orphans: bool | None = None
    ) -> None:
        self._processes = [ManagedProcess(child, observer) for child in sorted(children, key=lambda child: child.order)]
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
        """Stop what `start` started, wait until all processes have ended, and return the exit code as `run` does."""
        self.request_stop(hurry=hurry)
        if self._thread is not None:
            self._thread.join()
        return self._exit_code

    def request_stop(self, *, hurry: bool = False) -> None:
        """Begin to stop, without waiting; a second call, or `hurry`, leaves the rest a second at the most."""
        self._stop_requests += 2 if hurry else 1

    def pids(self) -> dict[str, int]:
        """The process ids of the children that run now, by name."""
        return {process.child.name: process.pid for process in self._processes if process.pid}

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
                for process in reversed(self._processes):
                    if process.poll() == EX_CONFIG:
                        self._exit_code = EX_CONFIG
                        self.request_stop()
                self._pause()
        finally:
            self._stop_all()

    def _stop_all(self) -> None:
        """Stop the children order by order, each order beginning when the one before no longer blocks it."""
        log.event(events.SUPERVISOR_STOP_REQUESTED, **({"signal": self._signal} if self._signal else {}))
        stopping: list[ManagedProcess] = []
        for _, group in groupby(self._processes, key=lambda process: process.child.order):
            stopping.extend(group)
            for process in stopping:
                process.terminate()
            while any(process.blocks_next(hurry=self._stop_requests > 1) for process in stopping):
                self._pause()
        while any(process.still_running(hurry=self._stop_requests > 1) for process in stopping):
            self._pause()
        self._collect_orphans()

    def _pause(self) -> None:
        self._collect_orphans()
        time.sleep(TICK_S)

    def _collect_orphans(self) -> None:
        own_pids = set(self.pids().values())
        while self._reap_orphans:
            try:
                status = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            # One of our children is left to its ManagedProcess, which needs the exit code. It may hide orphans that
            # ended after it; those are reaped at the next check.
            if status is None or status.si_pid in own_pids:
                return
            os.waitpid(status.si_pid, 0)


@contextmanager
def _signals_to(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Send the signals that ask for an end to `handler` within the context."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    previous_handlers = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in previous_handlers.items():
            signal.signal(number, previous)

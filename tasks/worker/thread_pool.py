"""Threads that send and read: few of them at work, more where some are stuck.

Threads that are at work at the same time only fight for the interpreter's lock, so there are few. But a thread may have
to wait: for a connection, for a body that comes in drops, for the process of an isolated attempt. One that is known to
wait says so (`blocking`), one that does not is found out after a moment; in either case another one takes its place,
up to a bound. When it comes back there is one too many, which becomes a spare. The last spare is taken first: those
that a moment of trouble has called for, and nothing needs since, end.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from longshore.errors import place_of
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic

log = EventLog(__name__)

AT_WORK = 2
"""Threads at work at once."""

STUCK_S = 0.1
"""A job that takes longer waits for something."""

_SPARE_S = 30.0
"""For so long a spare thread is kept."""

_IDLE_S = 1.0

Job = Callable[[], None]


class _Worker:
    """What is known of a thread."""

    __slots__ = ("recalled", "since", "waits")

    def __init__(self) -> None:
        self.recalled = threading.Event()
        """Set when it is a spare that is to work again."""
        self.since = 0.0
        """When its job began; 0 while it has none."""
        self.waits = False
        """Whether somebody else works in its place."""


class ThreadPool:
    """Runs jobs in any order. Jobs raise nothing."""

    def __init__(self, max_threads: int, at_work: int = AT_WORK, name: str = "sender") -> None:
        """At most `max_threads`, of which `at_work` work at once; `name` is theirs."""
        self._name = name
        self._max_threads = max_threads
        self._max_at_work = at_work
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._at_work = 0
        self._spares: list[_Worker] = []
        self._local = threading.local()
        self._has_jobs = threading.Event()
        self._monitor = Periodic(f"stuck-{name}-threads", 0, self._replace_stuck)
        self.start, self.stop = self._monitor.start, self._monitor.stop

    def submit(self, job: Job) -> None:
        """Hands over a job."""
        self._jobs.put(job)
        if self._at_work < self._max_at_work:
            self._fill()
        if not self._has_jobs.is_set():
            self._has_jobs.set()

    @contextmanager
    def blocking(self) -> Iterator[None]:
        """Around what a job may wait in for long. Outside of a job it means nothing."""
        worker: _Worker | None = getattr(self._local, "worker", None)
        if worker is None or worker.waits:
            yield
            return
        self._begin_wait(worker)
        try:
            yield
        finally:
            self._end_wait(worker)

    @property
    def at_work(self) -> int:
        """How many threads work, or could: neither waiting nor spare."""
        return self._at_work

    @property
    def threads(self) -> int:
        """How many threads there are."""
        return len(self._workers)

    def _begin_wait(self, worker: _Worker) -> None:
        with self._lock:
            if worker.waits:
                return
            worker.waits = True
            self._at_work -= 1
        if not self._jobs.empty():
            self._fill()

    def _end_wait(self, worker: _Worker) -> None:
        with self._lock:
            if worker.waits:
                worker.waits = False
                self._at_work += 1

    def _fill(self) -> None:
        """Has one more thread at work, if there is room for it."""
        with self._lock:
            if self._at_work >= self._max_at_work:
                return
            if self._spares:
                self._at_work += 1
                self._spares.pop().recalled.set()
                return
            if len(self._workers) >= self._max_threads:
                return
            worker = _Worker()
            self._workers.add(worker)
            self._at_work += 1
        try:
            threading.Thread(target=self._run, args=(worker,), name=self._name, daemon=True).start()
        except RuntimeError as error:  # no memory or too many threads: those that are there go on
            log.event(events.WORKER_THREAD_FAILED, error=str(error))
            self._forget(worker)

    def _forget(self, worker: _Worker) -> None:
        with self._lock:
            self._workers.discard(worker)
            self._at_work -= 1

    def _run(self, worker: _Worker) -> None:
        self._local.worker = worker
        while self._is_wanted(worker):
            job = self._jobs.get()
            worker.since = time.monotonic()
            try:
                job()
            except Exception as error:  # jobs raise nothing; but a thread less would be noticed by nobody
                log.event(events.DELIVERY_CRASHED, error=type(error).__name__, at=place_of(error))
            worker.since = 0.0
            if worker.waits:
                self._end_wait(worker)

    def _is_wanted(self, worker: _Worker) -> bool:
        """Whether the thread is to go on. One too many waits here until it is needed again, or has waited for long."""
        while self._at_work > self._max_at_work:
            with self._lock:
                if self._at_work <= self._max_at_work:
                    return True
                self._at_work -= 1
                worker.recalled.clear()
                self._spares.append(worker)
            if not worker.recalled.wait(_SPARE_S):
                with self._lock:
                    if worker in self._spares:  # else it was recalled this moment
                        self._spares.remove(worker)
                        self._workers.discard(worker)
                        return False
        return True

    def _replace_stuck(self) -> float | None:
        """Looks for threads that wait without having said so, while there are jobs for others."""
        if self._jobs.empty():
            self._has_jobs.clear()
            if self._jobs.empty():
                self._has_jobs.wait(_IDLE_S)
            return None
        since = time.monotonic() - STUCK_S
        for worker in list(self._workers):
            if 0 < worker.since < since and not worker.waits:
                self._begin_wait(worker)
        while self._at_work < self._max_at_work and self.threads < self._max_threads and not self._jobs.empty():
            before = self._at_work
            self._fill()
            if self._at_work <= before:
                break
        return STUCK_S / 2

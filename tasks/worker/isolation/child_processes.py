"""The processes in which isolated attempts are made: kept ready for a while, handed one job each, watched over.

The process is new for each, as what one leaves behind must not be charged to the next; it is forked from one that is
kept as long as there are jobs, as dozens of them may wait and everything else works on.
"""

import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import BinaryIO

from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.attempt_result import AttemptResult, Completion, Deferral
from tasks.worker.isolation.forkserver import ForkServer
from tasks.worker.isolation.job import READY, ChildDied, IsolatedJob

log = EventLog(__name__)

CHILD_MODULE = "tasks.worker.isolation.child"
"""The program of the process; it is started by name, so nothing of it is imported here."""

_MAX_CHILDREN = 2
"""Such processes of one worker: each takes some 80 MB."""
_IDLE_TIMEOUT_S = 30.0
"""How long one is kept ready after the last job."""


class ChildProcesses:
    """Runs jobs, a few at a time. Thread safe."""

    def __init__(self, argv: Sequence[str] = (sys.executable, "-P", "-m", CHILD_MODULE)) -> None:
        self._argv = argv
        self._permits = threading.BoundedSemaphore(_MAX_CHILDREN)
        self._lock = threading.Lock()
        self._idle: list[ForkServer] = []
        self._end_of_idle: threading.Timer | None = None

    def run(self, job: IsolatedJob, max_duration_s: float) -> AttemptResult | ChildDied | None:
        """One attempt in a process of its own. None if there is no room or no process could be made: nothing was sent.

        Raises TimeoutError if it takes longer than `max_duration_s`: it may have been sent.
        """
        if not self._permits.acquire(blocking=False):
            return None
        try:
            server = self._take()
            try:
                answer = _run_in_child(server, job, max_duration_s)
            except BaseException:
                server.close()
                raise
            if isinstance(answer, Completion | Deferral):
                self._keep(server)
            else:
                server.close()
            return answer
        except TimeoutError:
            raise
        except (OSError, subprocess.SubprocessError) as error:
            log.event(events.ISOLATION_PROCESS_FAILED, error=type(error).__name__)
            return None
        finally:
            self._permits.release()

    def _take(self) -> ForkServer:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return ForkServer(self._argv)

    def _keep(self, server: ForkServer) -> None:
        with self._lock:
            self._idle.append(server)
            if self._end_of_idle:
                self._end_of_idle.cancel()
            self._end_of_idle = _start_timer(_IDLE_TIMEOUT_S, self._end_idle)

    def _end_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for server in idle:
            server.close()


def _run_in_child(server: ForkServer, job: IsolatedJob, max_duration_s: float) -> AttemptResult | ChildDied | None:
    with server.fork() as child, child.makefile("rb") as answers:
        watch = _start_timer(max_duration_s, server.kill)
        try:
            ready = _is_ready(answers)
            answer = _exchange(child, answers, pickle.dumps(job)) if ready else b""
            code = server.wait()
        finally:
            in_time = watch.is_alive()
            watch.cancel()
    if answer:
        result: AttemptResult = pickle.loads(answer)
        return result
    if not ready:
        log.event(events.ISOLATION_PROCESS_FAILED, error=f"it ended with code {code} before its job")
        return None
    if not in_time:
        raise TimeoutError
    return ChildDied("with all its kind" if code is None else f"exit code {code}" if code >= 0 else f"signal {-code}")


def _is_ready(answers: BinaryIO) -> bool:
    try:
        return answers.readline() == READY
    except ConnectionError:
        return False


def _exchange(child: socket.socket, answers: BinaryIO, job: bytes) -> bytes:
    """Gives the job and reads the whole answer; b"" for one that was cut off, which its length in front shows."""
    try:
        child.sendall(job)
        head = answers.read(8)
        body = answers.read()
    except ConnectionError:
        return b""
    return body if len(head) == 8 and int.from_bytes(head, "big") == len(body) else b""


def _start_timer(seconds: float, call: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.daemon = True  # the end of the worker does not wait for it
    timer.start()
    return timer

"""Suspects: invocations that were under way when several workers died. Each is tried in a process of its own.

So one that kills its worker kills only that process, and is a dead letter (`poison`); one that was in bad company
ends as it would anywhere. The process is new for each, as what one leaves behind must not be charged to the next; it is
forked from one that is kept as long as there are suspects, as dozens of them may wait and everything else works on.
"""

import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import structlog

from longshore.delivery import Fence, OwnService
from longshore.store.entry import Begun
from tasks.worker.attempt_executor import Told
from tasks.worker.isolation.forkserver import Spawner

log = structlog.get_logger(__name__)

POISON = "poison"
"""Reason code."""

POISON_CAUSE = "every worker that tried it died, the last one with nothing else to do"

CHILD_MODULE = "tasks.worker.isolation.child"
"""The program of the process; -m starts it, so that what it imports is not imported here."""

READY = b"ready\n"
"""What the process says when it could take a job: what happens before is not the suspect's doing."""

_AT_ONCE = 2
"""Such processes of one worker: each takes some 80 MB."""
_KEPT_S = 30.0
"""How long one is kept ready after the last suspect."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the process is told."""

    begun: Begun
    clock_offset_ms: float
    own: Sequence[OwnService]
    """Our own services, which no webhook may call."""


@dataclass(frozen=True, slots=True)
class Died:
    """The process died over it."""

    how: str


class Suspects:
    """Tries suspects, a few at a time. Thread safe."""

    def __init__(self, fence: Fence, argv: Sequence[str] = (sys.executable, "-P", "-m", CHILD_MODULE)) -> None:
        self._fence = fence
        self._argv = argv
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._idle: list[Spawner] = []
        self._end_of_idle: threading.Timer | None = None

    def attempt(self, begun: Begun, clock_offset_ms: float, longest_s: float) -> Told | Died | None:
        """One attempt in a process of its own. None if there is no room or no process could be made: nothing was sent.

        Raises TimeoutError if it takes longer than `longest_s`: it may have been sent.
        """
        if not self._room.acquire(blocking=False):
            return None
        try:
            spawner = self._take()
            try:
                told = _in_child(spawner, Job(begun, clock_offset_ms, tuple(self._fence.own)), longest_s)
            except BaseException:
                spawner.close()
                raise
            if isinstance(told, Told):
                self._keep(spawner)
            else:
                spawner.close()
            return told
        except TimeoutError:
            raise
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("suspect.no_process", error=type(error).__name__)
            return None
        finally:
            self._room.release()

    def _take(self) -> Spawner:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Spawner(self._argv)

    def _keep(self, spawner: Spawner) -> None:
        with self._lock:
            self._idle.append(spawner)
            if self._end_of_idle:
                self._end_of_idle.cancel()
            self._end_of_idle = _timer(_KEPT_S, self._end_idle)

    def _end_idle(self) -> None:
        with self._lock:
            ended, self._idle = self._idle, []
        for spawner in ended:
            spawner.close()


def _in_child(spawner: Spawner, job: Job, longest_s: float) -> Told | Died | None:
    with spawner.fork() as child, child.makefile("rb") as answers:
        watch = _timer(longest_s, spawner.kill)
        try:
            ready = _ready(answers)
            answer = _exchange(child, answers, pickle.dumps(job)) if ready else b""
            code = spawner.ended()
        finally:
            in_time = watch.is_alive()
            watch.cancel()
    if answer:
        told = pickle.loads(answer)
        assert isinstance(told, Told)
        return told
    if not ready:
        log.warning("suspect.no_process", error=f"it ended with code {code} before its job")
        return None
    if not in_time:
        raise TimeoutError
    return Died("with all its kind" if code is None else f"exit code {code}" if code >= 0 else f"signal {-code}")


def _ready(answers: BinaryIO) -> bool:
    try:
        return answers.readline() == READY
    except ConnectionError:
        return False


def _exchange(child: socket.socket, answers: BinaryIO, job: bytes) -> bytes:
    """Gives the job and reads all that is answered; an answer counts only whole, with its length in front."""
    try:
        child.sendall(job)
        head = answers.read(8)
        body = answers.read()
    except ConnectionError:
        return b""
    return body if len(head) == 8 and int.from_bytes(head, "big") == len(body) else b""


def _timer(seconds: float, call: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.daemon = True  # the end of the worker does not wait for it
    timer.start()
    return timer

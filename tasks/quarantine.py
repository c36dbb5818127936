"""Suspects: invocations that were under way when several workers died. Each is tried in a process of its own.

So one that kills its worker kills only that process, and is a dead letter (`poison`); one that was in bad company
ends as it would anywhere. The process is new for each, as what one leaves behind must not be charged to the next.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

import longshore
from longshore.delivery import Fence, OwnService
from longshore.store.entry import Begun, Claim, Finish

log = structlog.get_logger(__name__)

POISON = "poison"
"""Reason code."""

POISON_CAUSE = "every worker that tried it died, the last one with nothing else to do"

READY = b"ready\n"
"""What the process says when it could take a job: what happens before is not the suspect's doing."""

_AT_ONCE = 2
"""Such processes of one worker: each takes some 80 MB."""
_LAUNCHER = Path(longshore.__file__).with_name("die_with_parent.py")


@dataclass(frozen=True, slots=True)
class Job:
    """What the process is told."""

    begun: Begun
    clock_offset_ms: float
    own: Sequence[OwnService]
    """Our own services, which no webhook may call."""


@dataclass(frozen=True, slots=True)
class Told:
    """What it answers: how the attempt ended, to be stored by the worker. One of the two is None."""

    finish: Finish | None
    moved: tuple[str, str] | None
    """Target and lane it belongs to."""
    line: str


@dataclass(frozen=True, slots=True)
class Died:
    """The process died over it."""

    how: str


class Recorder:
    """Stands in for the ledger in that process: keeps what it is told instead of storing it."""

    def __init__(self) -> None:
        self.finished: Finish | None = None
        self.moved: tuple[str, str] | None = None

    def finish(self, id: str, token: int, finish: Finish, want: int = 1) -> tuple[str, tuple[Claim, ...]]:
        """As the ledger's."""
        self.finished = finish
        return finish.result, ()

    def defer(self, begun: Begun, target: str, lane: str) -> bool:
        """As the ledger's."""
        self.moved = (target, lane)
        return True


class Suspects:
    """Tries suspects, a few at a time. Thread safe."""

    def __init__(self, fence: Fence, argv: Sequence[str] = (sys.executable, "-P", "-m", "tasks.suspect")) -> None:
        self._fence = fence
        self._argv = argv
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def attempt(self, begun: Begun, clock_offset_ms: float, longest_s: float) -> Told | Died | None:
        """One attempt in a process of its own. None if there is no room or no process could be made: nothing was sent.

        Raises TimeoutError if it takes longer than `longest_s`: it may have been sent.
        """
        if not self._room.acquire(blocking=False):
            return None
        try:
            return self._in_process(Job(begun, clock_offset_ms, tuple(self._fence.own)), longest_s)
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("suspect.no_process", error=type(error).__name__)
            return None
        finally:
            self._room.release()

    def _in_process(self, job: Job, longest_s: float) -> Told | Died | None:
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
        with subprocess.Popen(
            [*launcher, *self._argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A session of its own: Ctrl-C is for the worker, which lets it end.
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            watch = threading.Timer(longest_s, process.kill)
            watch.start()
            try:
                if process.stdout.readline() != READY:
                    log.warning("suspect.no_process", error=f"it ended with code {process.wait()} before its job")
                    return None
                answer = _exchange(process, pickle.dumps(job))
                code = process.wait()
            finally:
                in_time = watch.is_alive()
                watch.cancel()
                process.kill()
        if answer:
            told = pickle.loads(answer)
            assert isinstance(told, Told)
            return told
        if not in_time:
            raise TimeoutError
        return Died(f"exit code {code}" if code >= 0 else f"signal {-code}")


def _exchange(process: "subprocess.Popen[bytes]", job: bytes) -> bytes:
    """Gives the job and reads all that is answered; an answer counts only whole, with its length in front."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(job)
        process.stdin.close()
    except BrokenPipeError:
        return b""
    head = process.stdout.read(8)
    body = process.stdout.read()
    return body if len(head) == 8 and int.from_bytes(head, "big") == len(body) else b""

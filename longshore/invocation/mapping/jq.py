"""The parent's side of the jq child process: evaluates, cuts off what does not end, and starts the child again.

Promises: an evaluation that never ends or eats all memory harms nobody but itself, whatever else is in the same batch,
and a verdict on an input is only given when it was alone with the child. Many threads may share one engine; it may not
be used after a fork.
"""

import signal
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from longshore.errors import LongshoreError
from longshore.invocation.mapping.jq_process import Answer, JqProcess, Status, request_frame
from longshore.invocation.mapping.jq_text import readable_by_jq

_BATCH_BYTES = 1024 * 1024  # bounds the copy that is made for the pipe
_MIB = 1024 * 1024

_OWN_FAULT = (signal.SIGVTALRM, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
"""Deaths that an evaluation causes. All others, such as SIGKILL, come from outside and say nothing about it."""

_DEATHS = 3
"""How often in a row the child may die from outside over one request, before it is asked whether that is by chance."""


class JqUnavailable(LongshoreError):
    """The child process cannot be started or kept; says nothing about any message, so keep them and come back."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class JqLimits:
    """What one evaluation may use. The allowances per MiB let large messages through, which take 0.2 s per MiB."""

    cpu_s: float = 0.25
    cpu_s_per_mib: float = 1.0
    memory_bytes: int = 256 * _MIB
    memory_bytes_per_byte: int = 64
    output_bytes: int = 32 * _MIB
    patience_s: float = 5.0
    """Wall time without any answer; only a safeguard, since a busy machine must not kill what is innocent."""
    patience_s_per_mib: float = 5.0

    def arguments(self) -> list[str]:
        """The child's command line."""
        per_byte = f"{self.cpu_s_per_mib / _MIB:.12f}"
        memory = [str(self.memory_bytes), str(self.memory_bytes_per_byte)]
        return [str(self.cpu_s), per_byte, *memory, str(self.output_bytes)]


class Job(NamedTuple):
    """One program to evaluate over one JSON text."""

    program: int
    text: str


class JqEngine:
    """Evaluates jq programs in one child process, which starts at the first use and again after each death."""

    def __init__(self, env: Mapping[str, str], limits: JqLimits | None = None) -> None:
        """`env` is what expressions see as `env`, and nothing else is."""
        self._env = {name: value for name, value in env.items() if _settable(name, value)}
        self._limits = limits or JqLimits()
        self._lock = threading.Lock()
        self._programs: list[bytes] = []
        self._running: list[JqProcess] = []
        self._closed = False
        # Also when an engine is forgotten, and when the interpreter ends.
        self._finalizer = weakref.finalize(self, _stop_all, self._running)

    def program(self, source: str) -> int:
        """Take a program, every output of which is a text; gives the number to evaluate it by."""
        with self._lock:
            self._programs.append(request_frame(b"D", 0, source))
            return len(self._programs) - 1

    def check(self, sources: Sequence[str]) -> list[str | None]:
        """For each program None, or why it does not compile, in one line.

        Raises:
            JqUnavailable: see the class.
        """
        answers = self._run([request_frame(b"C", 0, source) for source in sources])
        return [None if answer.status is Status.NOTHING else _first_line(answer.text) for answer in answers]

    def evaluate(self, jobs: Sequence[Job]) -> list[Answer]:
        """The answer to each job, in order; a batch costs far less than its jobs one by one.

        Raises:
            JqUnavailable: see the class.
        """
        return self._run([request_frame(b"E", job.program, readable_by_jq(job.text)) for job in jobs])

    def close(self) -> None:
        """End the child; the engine cannot be used any more."""
        with self._lock:
            self._closed = True
            _stop_all(self._running)

    def _run(self, requests: list[bytes]) -> list[Answer]:
        answers: list[Answer] = []
        alone, deaths = False, 0
        with self._lock:
            while len(answers) < len(requests):
                batch = _batch(requests, len(answers), alone)
                fresh, death = self._exchange(batch)
                answers += fresh
                deaths = 0 if fresh else deaths
                if death is None:
                    continue
                if len(batch) > 1:
                    # One request of the batch is to blame, or none. One by one until it is found.
                    alone = True
                    continue
                deaths += 1
                if death.by_evaluation or (deaths >= _DEATHS and self._works(death)):
                    answers.append(Answer(Status.KILLED, death.reason))
                    alone, deaths = False, 0
        return answers

    def _works(self, death: "_Death") -> bool:
        """Whether the child lives without the request it keeps dying of, say by the kernel's out-of-memory killer."""
        if self._exchange([request_frame(b"C", 0, ".")])[1] is None:
            return True
        raise JqUnavailable(death.reason)

    def _exchange(self, batch: list[bytes]) -> "tuple[list[Answer], _Death | None]":
        child = self._child()
        size = sum(map(len, batch))
        patience_s = self._limits.patience_s + self._limits.patience_s_per_mib * size / _MIB
        news = b"".join(self._programs[child.programs :])
        child.programs = len(self._programs)
        try:
            answers = child.exchange(news + b"".join(batch), len(batch), patience_s)
        except BaseException:  # an interrupt in the middle leaves answers in the pipe that nobody would match
            self._bury(child)
            raise
        if len(answers) == len(batch):
            return answers, None
        return answers, self._death(child, patience_s)

    def _child(self) -> JqProcess:
        if self._closed:
            raise JqUnavailable("the engine is closed")
        if self._running and not self._running[0].alive():
            self._bury(self._running[0])
        if not self._running:
            try:
                self._running.append(JqProcess(self._limits.arguments(), self._env))
            except OSError as problem:
                raise JqUnavailable(f"the jq process cannot be started: {problem.strerror}") from problem
        return self._running[0]

    def _bury(self, child: JqProcess) -> int:
        self._running.remove(child)
        return child.stop()

    def _death(self, child: JqProcess, patience_s: float) -> "_Death":
        hung = child.hung
        code = self._bury(child)
        if hung:
            return _Death(True, f"gave no answer within {patience_s:.0f} s")
        if code == -signal.SIGVTALRM:
            return _Death(True, f"did not end within its limit of CPU time ({self._limits.cpu_s} s)")
        if -code in _OWN_FAULT:
            return _Death(True, f"took more than {self._limits.memory_bytes // _MIB} MiB of memory, or crashed jq")
        return _Death(False, f"the jq process ended with code {code}")


class _Death(NamedTuple):
    """Why the child is gone, and whether what it was evaluating is to blame."""

    by_evaluation: bool
    reason: str


def _batch(requests: list[bytes], start: int, alone: bool) -> list[bytes]:
    end, size = start + 1, len(requests[start])
    while not alone and end < len(requests) and size + len(requests[end]) <= _BATCH_BYTES:
        size += len(requests[end])
        end += 1
    return requests[start:end]


def _settable(name: str, value: str) -> bool:
    return bool(name) and "=" not in name and "\0" not in name + value


def _first_line(text: str) -> str:
    # The lines after it quote the program, which may hold a secret.
    return text.split("\n", 1)[0].removeprefix("jq: error: ").rstrip(":") or "cannot be compiled"


def _stop_all(running: list[JqProcess]) -> None:
    while running:
        running.pop().stop()

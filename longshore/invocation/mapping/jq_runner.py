"""Evaluates in one jq child process at a time, cuts off what does not end, and starts the child again.

Promises: an evaluation that never ends or eats all memory harms nobody but itself, whatever else is in the same batch,
and a verdict on an input is only given when it was alone with the child.
"""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from longshore.errors import LongshoreError
from longshore.invocation.mapping.jq_process import JqAnswer, JqProcess, Status, request_frame

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
    timeout_s: float = 5.0
    """Wall time without any answer; only a safeguard, since a busy machine must not kill what is innocent."""
    timeout_s_per_mib: float = 5.0

    def arguments(self) -> list[str]:
        """The child's command line."""
        per_byte = f"{self.cpu_s_per_mib / _MIB:.12f}"
        memory = [str(self.memory_bytes), str(self.memory_bytes_per_byte)]
        return [str(self.cpu_s), per_byte, *memory, str(self.output_bytes)]


class JqRunner:
    """One child process, which starts at the first use and again after each death. For one thread at a time."""

    def __init__(self, programs: Sequence[bytes], env: Mapping[str, str], limits: JqLimits) -> None:
        """`programs` are the frames of all programs; others may add to them."""
        self._programs = programs
        self._env = dict(env)
        self._limits = limits
        self._process: JqProcess | None = None

    def run(self, requests: Sequence[bytes]) -> list[JqAnswer]:
        """The answer to each request, in order.

        Raises:
            JqUnavailable: see the class.
        """
        answers: list[JqAnswer] = []
        is_alone, deaths = False, 0
        while len(answers) < len(requests):
            batch = _batch(requests, len(answers), is_alone)
            new_answers, death = self._exchange(batch)
            answers += new_answers
            deaths = 0 if new_answers else deaths
            if death is None:
                continue
            if len(batch) > 1:
                # One request of the batch is to blame, or none. One by one until it is found.
                is_alone = True
                continue
            deaths += 1
            if death.by_evaluation or (deaths >= _DEATHS and self._survives(death)):
                answers.append(JqAnswer(Status.KILLED, death.reason))
                is_alone, deaths = False, 0
        return answers

    def stop(self) -> int:
        """End the child; gives its exit code, negative for a signal."""
        process, self._process = self._process, None
        return 0 if process is None else process.stop()

    def _survives(self, death: "_Death") -> bool:
        """Whether the child lives without the request it keeps dying of, say by the kernel's out-of-memory killer."""
        if self._exchange([request_frame(b"C", 0, ".")])[1] is None:
            return True
        raise JqUnavailable(death.reason)

    def _exchange(self, batch: Sequence[bytes]) -> "tuple[list[JqAnswer], _Death | None]":
        child = self._child()
        size = sum(map(len, batch))
        timeout_s = self._limits.timeout_s + self._limits.timeout_s_per_mib * size / _MIB
        new_programs = self._programs[child.programs :]
        child.programs += len(new_programs)
        try:
            answers = child.exchange(b"".join([*new_programs, *batch]), len(batch), timeout_s)
        except BaseException:  # an interrupt in the middle leaves answers in the pipe that nobody would match
            self.stop()
            raise
        if len(answers) == len(batch):
            if size > _BATCH_BYTES:
                # What a large text made it take it never gives back: 20 bytes for each one.
                self.stop()
            return answers, None
        return answers, self._death(child, timeout_s)

    def _child(self) -> JqProcess:
        if self._process is not None and not self._process.is_alive():
            self.stop()
        if self._process is None:
            try:
                self._process = JqProcess(self._limits.arguments(), self._env)
            except OSError as problem:
                raise JqUnavailable(f"the jq process cannot be started: {problem.strerror}") from problem
        return self._process

    def _death(self, child: JqProcess, timeout_s: float) -> "_Death":
        hung = child.hung
        code = self.stop()
        if hung:
            return _Death(True, f"gave no answer within {timeout_s:.0f} s")
        if code == -signal.SIGVTALRM:
            return _Death(True, f"did not end within its limit of CPU time ({self._limits.cpu_s} s)")
        if -code in _OWN_FAULT:
            return _Death(True, f"took more than {self._limits.memory_bytes // _MIB} MiB of memory, or crashed jq")
        return _Death(False, f"the jq process ended with code {code}")


class _Death(NamedTuple):
    """Why the child is gone, and whether what it was evaluating is to blame."""

    by_evaluation: bool
    reason: str


def _batch(requests: Sequence[bytes], start: int, is_alone: bool) -> Sequence[bytes]:
    end, size = start + 1, len(requests[start])
    while not is_alone and end < len(requests) and size + len(requests[end]) <= _BATCH_BYTES:
        size += len(requests[end])
        end += 1
    return requests[start:end]

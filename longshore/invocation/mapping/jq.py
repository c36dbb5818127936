"""The parent's side of jq: a few child processes that many threads share.

One that evaluates a large text does not keep the others waiting, and one process is always left for small texts. None
of it may be used after a fork.
"""

import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from longshore.invocation.mapping.jq_process import JqAnswer, Status, request_frame
from longshore.invocation.mapping.jq_runner import JqLimits, JqRunner, JqUnavailable
from longshore.invocation.mapping.jq_text import readable_by_jq

__all__ = ["LARGE_BYTES", "JqEngine", "JqJob", "JqLimits", "JqUnavailable"]

LARGE_BYTES = 64 * 1024
"""What is larger than this takes jq longer than 10 ms."""


class JqJob(NamedTuple):
    """One program to evaluate over one JSON text."""

    program: int
    text: str


class JqEngine:
    """Evaluates jq programs in up to `processes` child processes, each started when the others are busy."""

    def __init__(self, env: Mapping[str, str], limits: JqLimits | None = None, processes: int = 1) -> None:
        """`env` is what expressions see as `env`, and nothing else is."""
        self._env = {name: value for name, value in env.items() if _settable(name, value)}
        self._limits = limits or JqLimits()
        self._processes = processes
        self._changed = threading.Condition()
        self._programs: list[bytes] = []
        self._idle: list[JqRunner] = []
        self._busy = self._busy_with_large = 0
        self._closed = False
        # Also when an engine is forgotten, and when the interpreter ends.
        self._finalizer = weakref.finalize(self, _stop_all, self._idle)

    def program(self, source: str) -> int:
        """Take a program, every output of which is a text; gives the number to evaluate it by."""
        with self._changed:
            self._programs.append(request_frame(b"D", 0, source))
            return len(self._programs) - 1

    def check(self, sources: Sequence[str]) -> list[str | None]:
        """For each program None, or why it does not compile, in one line.

        Raises:
            JqUnavailable: see the class.
        """
        answers = self._run([request_frame(b"C", 0, source) for source in sources])
        return [None if answer.status is Status.NOTHING else _first_line(answer.text) for answer in answers]

    def evaluate(self, jobs: Sequence[JqJob]) -> list[JqAnswer]:
        """The answer to each job, in order; a batch costs far less than its jobs one by one.

        Raises:
            JqUnavailable: see the class.
        """
        return self._run([request_frame(b"E", job.program, readable_by_jq(job.text)) for job in jobs])

    def close(self) -> None:
        """End the children, those at work with what they have at hand; the engine cannot be used any more."""
        with self._changed:
            self._closed = True
            _stop_all(self._idle)
            self._changed.notify_all()

    def _run(self, requests: list[bytes]) -> list[JqAnswer]:
        with self._runner(sum(map(len, requests)) > LARGE_BYTES) as runner:
            return runner.run(requests)

    @contextmanager
    def _runner(self, large: bool) -> Iterator[JqRunner]:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._may_begin(large))
            if self._closed:
                raise JqUnavailable("the engine is closed")
            runner = self._idle.pop() if self._idle else JqRunner(self._programs, self._env, self._limits)
            self._busy += 1
            self._busy_with_large += large
        try:
            yield runner
        finally:
            with self._changed:
                self._busy -= 1
                self._busy_with_large -= large
                if self._closed:
                    runner.stop()
                else:
                    self._idle.append(runner)
                self._changed.notify_all()

    def _may_begin(self, large: bool) -> bool:
        return self._busy < self._processes and not (large and self._busy_with_large >= max(1, self._processes - 1))


def _settable(name: str, value: str) -> bool:
    return bool(name) and "=" not in name and "\0" not in name + value


def _first_line(text: str) -> str:
    # The lines after it quote the program, which may hold a secret.
    return text.split("\n", 1)[0].removeprefix("jq: error: ").rstrip(":") or "cannot be compiled"


def _stop_all(idle: list[JqRunner]) -> None:
    while idle:
        idle.pop().stop()

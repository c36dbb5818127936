"""One jq child process and its pipes: bytes out, answers in. What goes over them is written in `jq_child.py`."""

import os
import select
import struct
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

_PROGRAM = Path(__file__).with_name("jq_child.py")
_REQUEST = struct.Struct(">cII")
_ANSWER = struct.Struct(">cI")
_WRITE_BYTES = 64 * 1024  # a pipe's usual size
_READ_BYTES = 256 * 1024


class Status(StrEnum):
    """How an evaluation ended."""

    VALUE = "value"
    """The program's first output is in `text`."""

    NOTHING = "nothing"
    """There was no output."""

    ERROR = "error"
    """The program failed, or its input is nothing jq can read."""

    KILLED = "killed"
    """It was cut off; `text` says why."""


class JqAnswer(NamedTuple):
    """The result of one evaluation."""

    status: Status
    text: str = ""


class JqProcess:
    """One child process and its pipes."""

    def __init__(self, arguments: list[str], env: dict[str, str]) -> None:
        # Isolated: no PYTHON* variable of the mapping's environment counts. A session of its own: Ctrl-C in a terminal
        # is for the parent, which may still have messages to finish.
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_PROGRAM), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=env,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._input.fileno(), False)
        self.programs = 0
        self.hung = False

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self) -> int:
        """Kill it; gives its exit code, negative for a signal."""
        if not self.hung:
            # It may have died a moment ago: then its own code is wanted, not that of our signal.
            self._input.close()
            try:
                self._process.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
        self._process.kill()
        code = self._process.wait()
        self._input.close()
        self._output.close()
        return code

    def exchange(self, data: bytes, answer_count: int, timeout_s: float) -> list[JqAnswer]:
        """Write while reading, since both pipes are small; fewer answers than expected mean that it died or hung."""
        answers: list[JqAnswer] = []
        buffer, pending = bytearray(), memoryview(data)
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        poll.register(self._input, select.POLLOUT)
        while len(answers) < answer_count:
            ready = {fd for fd, _ in poll.poll(timeout_s * 1000)}
            if not ready:
                self.hung = True
                break
            if self._input.fileno() in ready:
                pending = self._write(pending)
                if not pending:
                    poll.unregister(self._input)
            if self._output.fileno() in ready:
                chunk = os.read(self._output.fileno(), _READ_BYTES)
                if not chunk:
                    break
                buffer += chunk
                answers += _take_answers(buffer)
        return answers

    def _write(self, pending: memoryview) -> memoryview:
        try:
            return pending[os.write(self._input.fileno(), pending[:_WRITE_BYTES]) :]
        except BlockingIOError:
            return pending
        except BrokenPipeError:
            # It is dead; what it answered before is still to be read.
            return pending[len(pending) :]


def request_frame(kind: bytes, program: int, text: str) -> bytes:
    """A request as the child reads it."""
    data = text.encode("utf-8", "replace")
    return _REQUEST.pack(kind, program, len(data)) + data


def _take_answers(buffer: bytearray) -> list[JqAnswer]:
    """Take the whole frames off the front of what was received."""
    answers = []
    offset = 0
    while len(buffer) - offset >= _ANSWER.size:
        kind, length = _ANSWER.unpack_from(buffer, offset)
        end = offset + _ANSWER.size + length
        if len(buffer) < end:
            break
        answers.append(_parse_answer(kind, buffer[offset + _ANSWER.size : end].decode()))
        offset = end
    del buffer[:offset]
    return answers


def _parse_answer(kind: bytes, text: str) -> JqAnswer:
    if kind == b"L":
        return JqAnswer(Status.KILLED, "gives a result that is too large")
    return JqAnswer({b"V": Status.VALUE, b"N": Status.NOTHING}.get(kind, Status.ERROR), text)

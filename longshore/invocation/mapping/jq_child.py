"""The program that runs as a child process and evaluates jq for its parent; started by `jq.py`, never imported.

jq holds the interpreter's lock while it evaluates, cannot be interrupted, and aborts its process when memory runs out.
So it lives in a process of its own that may be killed at any time: it keeps nothing, writes nothing, and ends when its
standard input does, that is, when its parent is gone.

Frames on standard input: kind (1 byte), program number and length of the text (4 bytes each), text in UTF-8.
    D  a program's source; takes the next number, has no answer
    C  a program's source; the answer says whether it compiles
    E  a JSON text to evaluate the numbered program over; its first output is the answer
Frames on standard output, in the same order: kind (1 byte), length (4 bytes), text in UTF-8.
    V  the first output, a text     N  no output     E  an error, told for C only     L  too large

Arguments: CPU seconds and bytes of memory for an evaluation, more of both per byte of input, bytes of output at most.
"""

import os
import resource
import signal
import struct
import sys
from typing import Any

import jq

REQUEST = struct.Struct(">cII")
ANSWER = struct.Struct(">cI")
FLUSH_BYTES = 32 * 1024
READ_BYTES = 256 * 1024


class ProcessLimits:
    """What one evaluation may use; beyond it the kernel or jq ends this process."""

    def __init__(self, cpu_s: str, cpu_s_per_byte: str, memory: str, memory_per_byte: str, output: str) -> None:
        self.cpu_s, self.cpu_s_per_byte = float(cpu_s), float(cpu_s_per_byte)
        self.memory, self.memory_per_byte = int(memory), int(memory_per_byte)
        self.output = int(output)
        self._memory_limit = 0

    def start(self, size: int) -> None:
        """Begin an evaluation over `size` bytes."""
        memory_bytes = self.memory + self.memory_per_byte * size
        # Never lowered again: what a large message made the allocator keep would fail the next small one.
        if memory_bytes > self._memory_limit:
            _, hard_limit = resource.getrlimit(resource.RLIMIT_AS)
            soft_limit = memory_bytes if hard_limit == resource.RLIM_INFINITY else min(memory_bytes, hard_limit)
            resource.setrlimit(resource.RLIMIT_AS, (soft_limit, hard_limit))
            self._memory_limit = memory_bytes
        # Counts this process's own CPU time, so a busy machine kills nothing. The signal's default action does.
        signal.setitimer(signal.ITIMER_VIRTUAL, self.cpu_s + self.cpu_s_per_byte * size)

    def stop(self) -> None:
        """End it: between evaluations time does not count."""
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


class Programs:
    """The programs the parent has told of, compiled at their first use."""

    def __init__(self) -> None:
        self._sources: list[str] = []
        self._compiled: dict[int, Any] = {}

    def add(self, source: str) -> None:
        """Take a program; its number is how many came before it."""
        self._sources.append(source)

    def first(self, number: int, text: str) -> str | None:
        """The first output, which every program makes a text; None if there is none."""
        program = self._compiled.get(number)
        if program is None:
            program = self._compiled[number] = compile_program(self._sources[number])
        return next(iter(program.input_text(text)), None)


def compile_program(source: str) -> Any:
    """The program `source`, compiled without the file `.jq` of the home folder: its functions would replace jq's own.

    jq looks for that file by `HOME`, and gives `$ENV` the environment as it is while it compiles.
    """
    home = os.environ.pop("HOME", None)
    try:
        return jq.compile(f"env as $ENV|{source}" if "$ENV" in source else source)
    finally:
        if home is not None:
            os.environ["HOME"] = home


def evaluate_request(kind: bytes, number: int, data: bytes, programs: Programs, limits: ProcessLimits) -> bytes:
    """One answer frame."""
    limits.start(len(data))
    try:
        if kind == b"C":
            compile_program(data.decode())
            return answer_frame(b"N")
        output = programs.first(number, data.decode())
    except MemoryError:
        return answer_frame(b"L")
    except (
        Exception
    ) as problem:  # jq tells all its errors as ValueError, and some conversions fail in ways of their own
        return answer_frame(b"E", str(problem) if kind == b"C" else "")
    finally:
        limits.stop()
    if output is None:
        return answer_frame(b"N")
    return answer_frame(b"V", output) if len(output) <= limits.output else answer_frame(b"L")


def answer_frame(kind: bytes, text: str = "") -> bytes:
    """An answer on the wire."""
    data = text.encode("utf-8", "replace")
    return ANSWER.pack(kind, len(data)) + data


def main() -> None:
    """Answer until the parent closes the pipe."""
    limits, programs = ProcessLimits(*sys.argv[1:]), Programs()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    buffer, answers = bytearray(), bytearray()
    while True:
        if len(buffer) >= REQUEST.size:
            kind, number, length = REQUEST.unpack_from(buffer)
            end = REQUEST.size + length
            if len(buffer) >= end:
                data = bytes(buffer[REQUEST.size : end])
                del buffer[:end]
                if kind == b"D":
                    programs.add(data.decode())
                else:
                    answers += evaluate_request(kind, number, data, programs, limits)
                if len(answers) >= FLUSH_BYTES:
                    send(answers)
                continue
        send(answers)
        chunk = os.read(0, READ_BYTES)
        if not chunk:
            return
        buffer += chunk


def send(answers: bytearray) -> None:
    """Write all that waits to be written."""
    while answers:
        del answers[: os.write(1, answers)]


if __name__ == "__main__":
    main()

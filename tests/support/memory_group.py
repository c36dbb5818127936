"""A control group whose memory can be taken away under a program, until the kernel kills it."""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.support.programs import eventually

ROOTS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))
"""Where groups of version 1 and of version 2 are made."""
_numbers = itertools.count()


def lack() -> str:
    """Why there can be none here; empty if there can."""
    try:
        with MemoryGroup():
            return ""
    except OSError as error:
        return f"no control group for memory can be made: {error}"


class MemoryGroup:
    """Exists within a `with`; by its end no program may run in it any more."""

    def __init__(self) -> None:
        root = next(root for root in ROOTS if root.is_dir() or root is ROOTS[-1])
        self._folder = root / f"longshore-{os.getpid()}-{next(_numbers)}"
        self._usage, self._limit, self._events, self._unlimited = (
            ("memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control", "-1")
            if root is ROOTS[0]
            else ("memory.current", "memory.max", "memory.events", "max")
        )
        self.launcher = ("sh", "-c", f'echo $$ > {self._folder / "cgroup.procs"} && exec "$@"', "sh")
        """What a command has in front to run in it, as the same process."""

    def take_away(self) -> None:
        """All that is not in use: who wants more now is killed, unless it is found in caches."""
        with suppress(OSError):  # version 1 does not go below what is in use, and that has just become more
            self._set_limit((self._folder / self._usage).read_text())

    def give_back(self) -> None:
        """As if there were no limit."""
        self._set_limit(self._unlimited)

    def kills(self) -> int:
        """How many processes the kernel has killed."""
        lines = (self._folder / self._events).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def _set_limit(self, text: str) -> None:
        with (self._folder / self._limit).open("w") as file:
            file.write(text)

    def __enter__(self) -> MemoryGroup:
        self._folder.mkdir()
        try:
            self.kills()
            self.give_back()
        except BaseException:
            self._folder.rmdir()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        eventually(self._removed, f"nothing runs in {self._folder}")

    def _removed(self) -> bool:
        with suppress(OSError):
            self._folder.rmdir()
        return not self._folder.exists()

"""A control group whose memory can be taken away under a program, until the kernel kills it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.support.programs import eventually

ROOTS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))
"""Where groups of version 1 and of version 2 are made."""
NEIGHBOUR = """
import time
open("/proc/self/oom_score_adj", "w").write("-1000")
eaten = []
while True:
    if len(eaten) < 200:
        eaten.append(b"x" * len(eaten) * 4096)
    time.sleep(0.01)
"""
"""Wants 80 MB within two seconds or so."""
_numbers = itertools.count()


def lack() -> str:
    """Why there can be none here; empty if there can."""
    try:
        with MemoryGroup():
            return ""
    except OSError as error:
        return f"no control group for memory can be made: {error}"


class MemoryGroup:
    """Exists within a `with`; whatever still runs in it by then is killed."""

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
        self._neighbour: subprocess.Popen[bytes] | None = None

    def take_away(self) -> None:
        """All that is not in use, and then what is: a neighbour wants more, which the kernel spares."""
        with suppress(OSError):  # version 1 does not go below what is in use, and that has just become more
            self._set_limit((self._folder / self._usage).read_text())
            if self._neighbour is None:
                self._neighbour = subprocess.Popen((*self.launcher, sys.executable, "-I", "-S", "-c", NEIGHBOUR))

    def give_back(self) -> None:
        """As if there were no limit."""
        if self._neighbour is not None:
            self._neighbour.kill()
            self._neighbour.wait()
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
        self.give_back()
        eventually(self._removed, f"nothing runs in {self._folder}")

    def _removed(self) -> bool:
        with suppress(OSError):  # they end a moment later
            for pid in (self._folder / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
            self._folder.rmdir()
        return not self._folder.exists()

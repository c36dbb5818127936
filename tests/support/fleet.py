"""Ingest and worker processes of one agent, to be killed, stopped and replaced; the console script, as in production.

Owns the processes and their logs: each program writes a file of its own, which stays when the process is gone. `close`
leaves no process behind, nor any of their children.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

import psutil

from longshore.log import events
from tests.support import crash_points, wrong_clock
from tests.support.crash_points import CrashPoint
from tests.support.programs import SCRIPT, bare, eventually

Role = Literal["ingest", "worker"]


def ready_sign(role: Role, environ: Mapping[str, str]) -> str:
    """What a program logs once it works."""
    if role == "worker":
        return events.WORKER_READY.name
    polls = environ.get("STREAMER_NAME") == "POLLING"
    return events.INGEST_STARTED.name if polls else events.KAFKA_ASSIGNED.name


class Member:
    """One program of the fleet as a process."""

    def __init__(
        self,
        role: Role,
        name: str,
        folder: Path,
        environ: Mapping[str, str],
        launcher: Sequence[str] = (str(SCRIPT),),
    ) -> None:
        self.role = role
        self.name = name
        self._ready_sign = ready_sign(role, environ)
        self.orphans: list[psutil.Process] = []
        """The children it had when it was killed."""
        self.log_path = folder / f"{name}.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [*launcher, role],
                cwd=folder,
                env=bare(environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    @property
    def works(self) -> bool:
        """Whether it has said that it is ready."""
        return self._ready_sign in self.log()

    def log(self) -> str:
        """What it has said so far."""
        return self.log_path.read_text(errors="replace")

    def attempts(self) -> int:
        """How many attempts it has made; 0 for an ingest."""
        return self.log().count(f"event={events.DELIVERY_ATTEMPTED.name}")

    def wait_ready(self) -> Member:
        """Wait until it works; fails with the end of its log if it ends before."""
        eventually(lambda: self.works or not self.alive, f"{self.name} is ready")
        assert self.alive, f"{self.name} ended with code {self.process.returncode}:\n{self.log()[-2000:]}"
        return self

    def kill(self) -> None:
        """End it as a crash would. Its children are to end by themselves: see `orphans`."""
        self.note_children()
        self.process.kill()
        self.process.wait()

    def note_children(self) -> None:
        """Whoever may be killed in a moment: see `orphans`."""
        self.orphans += [child for child in self._children() if child not in self.orphans]

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self.process.terminate()

    def wait_end(self, within_s: float) -> tuple[int, float]:
        """Wait until it has ended; returns its exit code and the seconds since this call."""
        start = time.monotonic()
        code = self.process.wait(within_s)
        return code, time.monotonic() - start

    def close(self) -> None:
        """Make sure that nothing is left of it."""
        if self.alive:
            self.kill()
        for orphan in self.orphans:
            if orphan.is_running():
                orphan.kill()

    def _children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


class Fleet:
    """All programs of one agent, which share `environ`; their logs are in `folder`."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.environ = dict(environ)
        self.started: list[Member] = []
        self._numbers = itertools.count(1)

    def start(
        self, role: Role, count: int = 1, environ: Mapping[str, str] | None = None, launcher: Sequence[str] = ()
    ) -> list[Member]:
        """Start `count` programs of a role, with these variables more; they are ready a second or so later.

        `launcher`: a command that becomes the one behind it.
        """
        return [self._start(role, (*launcher, str(SCRIPT)), environ) for _ in range(count)]

    def start_crashing(self, point: CrashPoint, passage: int) -> tuple[Member, Path]:
        """Start a program that kills itself at the `passage`-th passage of `point`. Returns the file it marks then."""
        mark = self.folder / f"{len(self.started)}.crashed"
        launcher = (sys.executable, "-P", crash_points.__file__, point.name, str(passage), str(mark))
        return self._start(point.role, launcher), mark

    def start_wrong(self, role: Role, offset_s: int) -> Member:
        """Start a program whose clock is wrong by so much."""
        return self._start(role, (sys.executable, "-P", wrong_clock.__file__, str(offset_s)))

    def _start(self, role: Role, launcher: Sequence[str], environ: Mapping[str, str] | None = None) -> Member:
        name = f"{role}-{next(self._numbers)}"
        member = Member(role, name, self.folder, self.environ | dict(environ or {}), launcher)
        self.started.append(member)
        return member

    def replace(self, member: Member) -> Member:
        """Start another in place of one that has ended."""
        assert not member.alive
        return self.start(member.role)[0]

    def living(self, role: Role) -> list[Member]:
        """The programs of a role whose process runs."""
        return [member for member in self.started if member.role == role and member.alive]

    def pids(self) -> set[int]:
        """Ids of the processes that run."""
        return {member.process.pid for member in self.started if member.alive}

    def killed_workers(self) -> int:
        """How many workers ended by SIGKILL."""
        return sum(member.role == "worker" and member.process.poll() == -signal.SIGKILL for member in self.started)

    def orphans(self) -> list[psutil.Process]:
        """Children of killed programs that still run."""
        return [orphan for member in self.started for orphan in member.orphans if orphan.is_running()]

    def log_lines(self, *words: str) -> list[str]:
        """Lines of all logs that hold one of `words`, with the program's name in front."""
        return [
            f"{member.name}: {line}"
            for member in self.started
            for line in member.log().splitlines()
            if any(word in line for word in words)
        ]

    def close(self) -> None:
        """End everything at once."""
        for member in self.started:
            member.close()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""Processes made by forking one that is ready: each new, each told apart from the others by its end."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tasks.worker.isolation.forkserver import ForkServer
from tests.support.programs import eventually

CHILD = """
import os
from tasks.worker.isolation.forkserver import serve_forks
before = os.getpid()
connection = serve_forks()
connection.sendall(b"%d %d\\n" % (os.getpid(), before))
connection.recv(1)
raise SystemExit(7)
"""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    """Children tell their process and its parent, and end with code 7 when they are told something."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    server = ForkServer([sys.executable, "-P", "-c", CHILD])
    yield server
    server.close()


def is_gone(pid: int) -> bool:
    """Whether nothing of the process runs any more."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_each_child_is_a_new_process_whose_end_is_told(server: ForkServer) -> None:
    """One ends by itself, the next is killed, and neither means anything to the one after it."""
    pids = []
    for end in ("ends", "killed", "ends"):
        with server.fork() as connection:
            child, parent = map(int, connection.recv(100).split())
            pids.append((child, parent))
            if end == "killed":
                os.kill(child, signal.SIGKILL)
            else:
                connection.sendall(b".")
            assert b"" == connection.recv(1)
        assert (-signal.SIGKILL if end == "killed" else 7) == server.wait()

    assert 3 == len({child for child, _ in pids})
    assert 1 == len({parent for _, parent in pids})


def test_a_killed_process_takes_its_child_with_it(server: ForkServer) -> None:
    """And whoever waits for either hears of it."""
    with server.fork() as connection:
        child, _ = map(int, connection.recv(100).split())

        server.kill()

        assert b"" == connection.recv(1)
        assert server.wait() is None
    eventually(lambda: is_gone(child), "the child has ended")


def test_both_end_with_whoever_made_them(tmp_path: Path) -> None:
    """Even where that was killed and could say nothing."""
    pid_file = tmp_path / "told"
    maker = f"""
import os, pathlib, signal, sys
from tasks.worker.isolation.forkserver import ForkServer
connection = ForkServer([sys.executable, "-P", "-c", {CHILD!r}]).fork()
pathlib.Path({str(pid_file)!r}).write_bytes(connection.recv(100))
os.kill(os.getpid(), signal.SIGKILL)
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}

    os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-P", "-c", maker], environ), 0)

    for pid in map(int, pid_file.read_text().split()):
        eventually(lambda pid=pid: is_gone(pid), "both have ended")  # type: ignore[misc]

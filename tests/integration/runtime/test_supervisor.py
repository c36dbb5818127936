"""The process tree: children come back, stop in order, and never outlive their supervisor."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from longshore.log import events
from longshore.runtime.managed_process import FIRST_WAIT_S, MAX_WAIT_S, SETTLED_S, Child, restart_wait_s
from longshore.runtime.supervisor import Supervisor
from tests.support.programs import eventually

# A child that writes what happens to it: "<name> up <pid>", and "<name> down" on SIGTERM.
CHILD = """
import os, signal, sys, time
name, diary, manner = sys.argv[1:]
def say(text):
    with open(diary, "a") as file:
        file.write(f"{name} {text}\\n")
def down(*_):
    say("term")
    if manner == "stubborn":
        return
    time.sleep(0.2)
    say("down")
    sys.exit(0)
signal.signal(signal.SIGTERM, down)
say(f"up {os.getpid()}")
if manner == "misconfigured":
    sys.exit(78)
if manner == "parent":  # leaves an orphan, which ends at once
    if os.fork() == 0:
        if os.fork() == 0:
            say(f"orphan {os.getpid()}")
        os._exit(0)
    os.wait()
while True:
    time.sleep(60)
"""


class Tree:
    """A supervisor in a process of its own, and the diary of its children."""

    def __init__(self, folder: Path) -> None:
        self.diary = folder / "diary"
        self.diary.touch()
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def argv(self, name: str, manner: str = "good") -> list[str]:
        return [sys.executable, "-c", CHILD, name, str(self.diary), manner]

    def run(self, *children: Child, before: str = "", options: str = "") -> None:
        """Start a supervisor of `children` in the foreground of another process."""
        listed = "[" + ", ".join(repr(child) for child in children) + "]"
        program = f"""
        import sys, ctypes
        from pathlib import PosixPath
        from longshore.runtime.managed_process import Child
        from longshore.runtime.supervisor import Supervisor
        {before}
        sys.exit(Supervisor({listed}, {options}).run())
        """
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def exit_code(self) -> int:
        assert self.process is not None
        return self.process.wait(30)

    def lines(self) -> list[str]:
        return self.diary.read_text().splitlines()

    def up(self, name: str) -> list[int]:
        """The process ids under which `name` came up."""
        return [int(line.split()[2]) for line in self.lines() if line.startswith(f"{name} up ")]

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A tree to be filled by the test; nothing of it outlives the test."""
    tree = Tree(tmp_path)
    yield tree
    tree.close()


def all_up(tree: Tree, *names: str) -> Callable[[], bool]:
    """Whether all of these have come up."""
    return lambda: all(tree.up(name) for name in names)


def test_a_child_that_dies_is_restarted_and_logged(tree: Tree) -> None:
    """However it died; the others do not notice."""
    tree.run(Child("a", tree.argv("a")), Child("b", tree.argv("b")))
    eventually(all_up(tree, "a", "b"))
    os.kill(tree.up("a")[0], signal.SIGKILL)
    eventually(lambda: len(tree.up("a")) == 2)

    assert 1 == len(tree.up("b"))
    assert "killed by SIGKILL" in tree.log.read_text()


def test_a_child_that_hangs_is_replaced(tree: Tree) -> None:
    """It is asked to end, and killed where it does not; the one after it is left alone."""
    before = f"""
        from pathlib import Path
        class Observer:
            starts = 0
            def on_start(self, name):
                self.starts += 1
            def find_problem(self, name):
                return "it is deaf" if self.starts == 1 and Path({str(tree.diary)!r}).read_text() else ""
        """
    tree.run(Child("a", tree.argv("a", "stubborn"), stop_grace_s=1), before=before, options="Observer()")
    eventually(lambda: len(tree.up("a")) == 2)

    assert ["a term"] == [line for line in tree.lines() if " up " not in line]
    assert not psutil.pid_exists(tree.up("a")[0])
    log = tree.log.read_text()
    assert ("it is deaf" in log, events.CHILD_KILLED.name in log, "killed by SIGKILL" in log) == (True, True, True)


def test_children_start_and_stop_in_opposite_order(tree: Tree) -> None:
    """Ingest stops first and Redis last, when nobody needs it any more."""
    tree.run(
        Child("ingest", tree.argv("ingest"), order=0),
        Child("worker", tree.argv("worker"), order=1),
        Child("redis", tree.argv("redis"), order=2),
    )
    eventually(all_up(tree, "ingest", "worker", "redis"))
    tree.signal(signal.SIGTERM)

    assert 0 == tree.exit_code()
    stops = ["ingest term", "ingest down", "worker term", "worker down", "redis term", "redis down"]
    assert stops == [line for line in tree.lines() if " up " not in line]


def test_a_slow_child_holds_the_next_ones_up_no_longer_than_it_may(tree: Tree) -> None:
    """So that the graces of several children do not add up."""
    tree.run(
        Child("ingest", tree.argv("ingest", "stubborn"), order=0, max_block_s=0, stop_grace_s=3),
        Child("redis", tree.argv("redis"), order=1),
    )
    eventually(all_up(tree, "ingest", "redis"))
    tree.signal(signal.SIGINT)

    assert 0 == tree.exit_code()
    assert "redis down" in tree.lines()
    assert events.CHILD_KILLED.name in tree.log.read_text()


def test_a_child_that_does_not_end_is_killed_after_its_grace(tree: Tree) -> None:
    """And stopping still counts as done."""
    tree.run(Child("a", tree.argv("a", "stubborn"), stop_grace_s=0.2))
    eventually(all_up(tree, "a"))
    tree.signal(signal.SIGTERM)

    assert 0 == tree.exit_code()
    assert not psutil.pid_exists(tree.up("a")[0])


def test_a_second_signal_hurries(tree: Tree) -> None:
    """Nobody has to wait for a grace of hours."""
    tree.run(Child("a", tree.argv("a", "stubborn"), stop_grace_s=9_999))
    eventually(all_up(tree, "a"))
    tree.signal(signal.SIGINT)
    eventually(lambda: "a term" in tree.lines())
    tree.signal(signal.SIGINT)

    assert 0 == tree.exit_code()


def test_no_child_outlives_a_killed_supervisor(tree: Tree) -> None:
    """Not even after SIGKILL, which nobody can react to."""
    tree.run(Child("a", tree.argv("a", "stubborn")), Child("b", tree.argv("b")))
    eventually(all_up(tree, "a", "b"))
    children = [psutil.Process(pid) for pid in (*tree.up("a"), *tree.up("b"))]
    tree.signal(signal.SIGKILL)
    tree.exit_code()

    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_ctrl_c_reaches_the_supervisor_alone(tree: Tree) -> None:
    """A terminal signals the foreground process group, which the children have left."""
    tree.run(Child("a", tree.argv("a")))
    eventually(all_up(tree, "a"))
    pid = tree.up("a")[0]

    assert os.getpgid(pid) == pid
    assert os.getsid(pid) == pid


def test_wrong_settings_are_not_retried(tree: Tree) -> None:
    """Exit code 78 ends the tree with the same code: a restart would fail in the same way."""
    tree.run(Child("a", tree.argv("a", "misconfigured")), Child("b", tree.argv("b")))

    assert 78 == tree.exit_code()
    assert 1 == len(tree.up("a"))


def test_orphans_are_reaped_where_that_is_our_duty(tree: Tree) -> None:
    """As PID 1 of a container we inherit everybody's orphans, and must leave no zombies."""
    subreaper = "ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans come to us, as to PID 1"
    tree.run(Child("a", tree.argv("a", "parent")), before=subreaper, options="reap_orphans=True")
    eventually(lambda: any("orphan" in line for line in tree.lines()))
    orphan = next(int(line.split()[2]) for line in tree.lines() if "orphan" in line)

    eventually(lambda: not psutil.pid_exists(orphan), "the orphan is reaped")
    assert psutil.pid_exists(tree.up("a")[0]), "while our own child is left to live"


def test_output_may_go_to_a_file(tree: Tree, tmp_path: Path) -> None:
    """Redis says much that nobody wants among the log lines."""
    speak = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(60)"]
    with Supervisor([Child("a", speak, output=tmp_path / "out")]):
        eventually(lambda: (tmp_path / "out").exists() and "hello" in (tmp_path / "out").read_text())


def test_a_child_that_cannot_be_started_now_ends_no_other(tree: Tree, tmp_path: Path) -> None:
    """Its log file is out of reach; it is started once that is mended."""
    folder = tmp_path / "later"
    tree.run(Child("a", tree.argv("a")), Child("b", tree.argv("b"), output=folder / "log"))
    eventually(lambda: tree.up("a") and events.CHILD_CHECK_FAILED.name in tree.log.read_text(), "one runs, one cannot")

    folder.mkdir()
    eventually(lambda: tree.up("b"), "both run")
    assert len(tree.up("a")) == 1


def test_it_works_beside_other_work(tree: Tree) -> None:
    """As the sandbox uses it: started and stopped from a program that does something else meanwhile."""
    with Supervisor([Child("a", tree.argv("a"))]) as supervisor:
        eventually(all_up(tree, "a"))
        assert {"a": tree.up("a")[0]} == supervisor.pids()

    assert ["a term", "a down"] == tree.lines()[-2:]


def test_waits_before_a_restart_double_up_to_a_limit() -> None:
    """A child that cannot start must not burn a core; one that lived a while is not punished for its past."""
    waits = [0.0]
    for _ in range(8):
        waits.append(restart_wait_s(waits[-1], alive_s=0.1))

    assert [0.5, 1, 2, 4, 8, MAX_WAIT_S, MAX_WAIT_S, MAX_WAIT_S] == waits[1:]
    assert FIRST_WAIT_S == restart_wait_s(MAX_WAIT_S, alive_s=SETTLED_S)

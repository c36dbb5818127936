"""`longshore sandbox` as a person uses it: processes, what they print, how they end, and what they leave."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
import requests

from tests.support.programs import eventually

WAIT_S = 60
CHILDREN = {"ingest", "worker", "flower", "redis"}


class Sandbox:
    """A running sandbox whose output is read line by line."""

    def __init__(self, command: str, temporary: Path, *options: str) -> None:
        longshore = Path(sys.executable).with_name("longshore")
        self.process = subprocess.Popen(
            [str(longshore), "sandbox", command, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, after: int = 0) -> re.Match[str]:
        """The first match in the lines from number `after` on."""
        found: list[re.Match[str]] = []

        def is_there() -> bool:
            found[:] = [match for line in self.lines[after:] if (match := re.search(pattern, line))]
            return bool(found)

        with self._changed:
            assert self._changed.wait_for(is_there, WAIT_S), f"no {pattern!r} in:\n{self.text}"
        return found[0]

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def wait_for_child(self, name: str) -> psutil.Process:
        """The child that runs this program, once it does."""
        found: list[psutil.Process] = []

        def is_there() -> bool:
            found[:] = [each for each in self.descendants() if command_line(each)[-1:] == [name]]
            return bool(found)

        eventually(is_there, lambda: f"{name} in:\n{self.text}", WAIT_S)
        return found[0]

    def end(self) -> int:
        code = self.process.wait(WAIT_S)
        self._reader.join()
        return code

    def close(self) -> None:
        self.process.kill()
        self.end()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Sandbox]]:
    """What a test puts in here is ended, whatever happens."""
    sandboxes: list[Sandbox] = []
    yield sandboxes
    for sandbox in sandboxes:
        sandbox.close()


@pytest.fixture
def stream(started: list[Sandbox], tmp_path: Path) -> Sandbox:
    started.append(Sandbox("run", tmp_path))
    return started[0]


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=WAIT_S)[1]


def test_the_demo_ends_as_it_should_and_leaves_nothing(started: list[Sandbox], tmp_path: Path) -> None:
    """Exit 0, each ending as expected, no folder of logs to clean up, no control codes without a terminal."""
    demo = Sandbox("demo", tmp_path)
    started.append(demo)
    demo.wait_for("Published")
    left = demo.descendants()

    assert 0 == demo.end(), demo.text
    assert re.search(r"All \d+ ended as they should", demo.text)
    assert 5 == len(re.findall(r"^ok  `|^ok  the ", demo.text, re.MULTILINE)), (
        "limit, Retry-After, breaker, pause, canary"
    )
    assert "\x1b" not in demo.text
    assert gone(left)
    assert [] == list(tmp_path.iterdir())


def test_the_stream_shows_its_addresses_and_survives_a_killed_worker(stream: Sandbox) -> None:
    """Flower and the fake Port answer where it says; a worker that dies is restarted, and said; Ctrl-C ends it all."""
    stream.wait_for(" done ")
    for name in ("Flower", "fake Port's page"):
        url = stream.wait_for(rf"^ *{name} +(http://\S+)")[1]
        assert answers(url)

    stream.wait_for_child("worker").kill()
    stream.wait_for("worker died and is being restarted")
    stream.wait_for(" done ", after=len(stream.lines))
    left = stream.descendants()
    stream.process.send_signal(signal.SIGINT)

    assert 0 == stream.end(), stream.text
    assert gone(left)
    assert "Stopped" in stream.lines[-1]


def test_the_stream_runs_without_kafka_where_the_agent_polls(started: list[Sandbox], tmp_path: Path) -> None:
    """Runs that the fake Port gives out are delivered."""
    stream = Sandbox("run", tmp_path, "--polling")
    started.append(stream)
    stream.wait_for("no Kafka: the agent polls the fake Port")
    stream.wait_for(" done ")
    stream.process.send_signal(signal.SIGINT)

    assert 0 == stream.end(), stream.text


def command_line(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def environment(process: psutil.Process) -> dict[str, str]:
    with suppress(psutil.Error):
        return process.environ()
    return {}


def answers(url: str) -> bool:
    """Whether a page is there."""
    with requests.Session() as session, suppress(requests.ConnectionError):
        session.trust_env = False
        return session.get(url, timeout=WAIT_S).ok
    return False


def test_a_busy_port_is_replaced_and_said(started: list[Sandbox], tmp_path: Path) -> None:
    """Nobody has to stop another program to try this one."""
    with ExitStack() as taken:
        for port in (5555, 8787):
            with suppress(OSError):  # taken by somebody else: as good
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
        stream = Sandbox("run", tmp_path)
        started.append(stream)
        flower = stream.wait_for(r"Port 5555 is busy: Flower listens on (\d+) instead")[1]
        page = stream.wait_for(r"Port 8787 is busy: the fake Port listens on (\d+) instead")[1]

        assert flower == stream.wait_for(r"Flower +http://127.0.0.1:(\d+)")[1]
        assert page == stream.wait_for(r"fake Port's page +http://127.0.0.1:(\d+)")[1]


def test_sigterm_while_it_starts_leaves_no_process(stream: Sandbox, tmp_path: Path) -> None:
    """However early: what was started is stopped."""
    stream.wait_for("Starting the sandbox")
    stream.process.terminate()

    assert 0 == stream.end(), stream.text
    assert [] == [each for each in psutil.process_iter() if environment(each).get("TMPDIR") == str(tmp_path)]


def test_a_killed_sandbox_takes_its_children_along(stream: Sandbox) -> None:
    """SIGKILL cannot be answered, so the kernel ends them."""
    stream.wait_for(" done ")
    left = stream.descendants()
    stream.process.kill()

    assert len(CHILDREN) <= len(left)
    assert gone(left)

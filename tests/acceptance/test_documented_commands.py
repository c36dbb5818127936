"""Every command of README.md and of the quickstart does what the page says, typed as it stands there.

They are typed in a fresh clone, which `make` sets up from the lock, in a folder with a space in its name. Port and
Kafka are the sandbox's; `docker` is a stand-in, see tests/support/docker_stand_in.py. What the other pages say is read
by the command line itself, without being executed.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from longshore.cli.lazy_commands import load_all
from longshore.cli.main import app
from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis, free_port
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text, topics
from tests.support import docker_stand_in
from tests.support.documented import ROOT, Command, calls_of_longshore, commands_of
from tests.support.programs import SETTINGS, eventually

EXECUTED = [command for page in ("README.md", "docs/quickstart.md") for command in commands_of(ROOT / page)]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
PAGES += sorted(path for room in ("how-to", "explanation", "runbook") for path in (ROOT / "docs" / room).glob("*.md"))

ORGANIZATION = "org_AbC123"
SECRETS = {"README.md": "...", "docs/quickstart.md": "my-secret"}
"""The client secret of a page's example."""
BARE = [
    f"export {name}={shlex.quote(value)}"
    for name, value in {
        **SETTINGS,
        "PORT_ORG_ID": ORGANIZATION,
        "KAFKA_CONSUMER_GROUP_ID": f"{ORGANIZATION}.agent",
    }.items()
]
"""Where the page itself gives no settings."""
READY = {"ingest": events.KAFKA_ASSIGNED.name, "worker": events.WORKER_READY.name, "flower": events.FLOWER_STARTED.name}
"""What programs say when they are up."""
SLOW_S = 1500.0
"""Longer than a set-up takes, packages included; only a failing test waits this long."""


class Site:
    """A clone, and what the commands that are typed in it talk to."""

    def __init__(
        self, folder: Path, kafka: EmbeddedKafka, port: FakePort, targets: FakeTargets, redis: EmbeddedRedis
    ) -> None:
        self.folder, self.kafka, self.port, self.targets = folder, kafka, port, targets
        self.clone, self.output = folder / "a clone", folder / "output"
        self.known_run, self.flower_port = "", free_port()
        self._numbers = count(1)
        clone_into(self.clone)
        # In the place of what only Port's own cluster has. The rest is as the page says.
        surroundings = {
            "PORT_API_BASE_URL": port.url,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "KAFKA_CONSUMER_SECURITY_PROTOCOL": "plaintext",
            "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM": "none",
            "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "6000",
            "FLOWER_PORT": str(self.flower_port),
        }
        docker_stand_in.install(folder / "bin", surroundings)
        self.near = [f"export {name}={shlex.quote(value)}" for name, value in surroundings.items()]
        self.lasting = [*self.near, f"export REDIS_URL={redis.url}"]
        for place in ("home", "tmp"):
            (folder / place).mkdir()

    def start(self, command: Command, between: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Type a command; its output goes to a file, see `said`."""
        installed = [str(self.clone / ".venv" / "bin")] if self.is_set_up() else []
        passed = ("LANG", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")  # pip may need them
        environ = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name in passed}
        environ |= {
            "PATH": ":".join([str(self.folder / "bin"), *installed, os.environ["PATH"]]),
            "HOME": str(self.folder / "home"),
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
            "PIP_NO_COMPILE": "no",  # as pip wants it: most of what it installs is never imported here
            "TMPDIR": str(self.folder / "tmp"),
            "LONGSHORE_CA_BUNDLE": str(self.folder / "tmp" / "trusted.crt"),
        }
        self.output = self.folder / f"output-{next(self._numbers)}"
        with self.output.open("wb") as output:
            return subprocess.Popen(
                ["sh", "-c", command.script(*between)],
                cwd=self.clone,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        """What the last command has printed so far."""
        return self.output.read_text()

    def ends(self, command: Command, between: Sequence[str] = ()) -> int:
        """Type a command that ends by itself; returns its exit code."""
        return self.start(command, between).wait(SLOW_S)

    def ended_by(
        self, sent: signal.Signals, command: Command, between: Sequence[str], once: Callable[[], object]
    ) -> int:
        """Type a command, and end it by a signal `once` something is so; returns its exit code."""
        process = self.start(command, between)
        try:
            eventually(lambda: process.poll() is not None or once(), lambda: f"what it is for:\n{self.said()}", SLOW_S)
            assert process.poll() is None, f"it ended with {process.returncode}:\n{self.said()}"
            # Ctrl-C is heard by everything in the foreground, SIGTERM by the one it is sent to.
            os.killpg(process.pid, sent) if sent is signal.SIGINT else process.send_signal(sent)
            return process.wait(SLOW_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def is_set_up(self) -> bool:
        """Whether some `make` has set the clone up."""
        return (self.clone / ".venv" / ".set-up").is_file()

    def set_up(self) -> None:
        """Set the clone up; pages have `make run` or `make demo` do it."""
        if not self.is_set_up():
            assert 0 == self.ends(Command("", "make setup")), self.said()

    def flower_answers(self) -> bool:
        """Whether its port is open."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.flower_port), 1):
            return True
        return False

    def delivers(self, secret: str) -> bool:
        """Whether a run that is published now arrives; it does not as long as nobody has joined the group."""
        id = f"r_{next(self._numbers)}"
        message = action_run(id, self.targets.url("good"), synchronized=True)
        RecordPublisher(self.kafka, ORGANIZATION).run(as_text(message, secret), id)
        if not self.targets.wait_until(lambda: bool(self.targets.received(id)), 2):
            return False
        eventually(lambda: id in self.port.runs and self.port.runs[id].ended, f"Port hears of the end of {id}")
        self.known_run = id
        return self.port.runs[id].state == "SUCCESS"


def clone_into(folder: Path) -> None:
    """A clone of the repository, with what is changed and not committed yet."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    listed = ["git", "ls-files", "-z", "--modified", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        elif name:
            (folder / name).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all commands: what one page sets up, its next lines use."""
    folder = tmp_path_factory.mktemp("documented")
    kafka = EmbeddedKafka(dict.fromkeys(topics(ORGANIZATION), 4))
    with kafka, FakePort() as port, FakeTargets() as targets, EmbeddedRedis(folder / "redis") as redis:
        yield Site(folder, kafka, port, targets, redis)


def sets_up_and_shows_addresses(site: Site, command: Command) -> None:
    """Until Ctrl-C."""
    shown = (r"Flower +http://", r"fake Port's page +http://", r" done ")
    code = site.ended_by(signal.SIGINT, command, (), lambda: all(re.search(each, site.said()) for each in shown))
    assert code in (0, -signal.SIGINT), site.said()  # make itself dies of the signal once what it runs has ended
    assert "Stopped" in site.said()
    assert site.is_set_up()


def succeeds_with_the_list(site: Site, command: Command) -> None:
    """And says so."""
    assert 0 == site.ends(command), site.said()
    assert re.search(r"All \d+ ended as they should", site.said())


def lists_the_others(site: Site, command: Command) -> None:
    """With a line each."""
    assert 0 == site.ends(command)
    assert all(re.search(rf"^  make {name} ", site.said(), re.MULTILINE) for name in ("run", "demo", "test", "docs"))


def would_run(site: Site, command: Command) -> None:
    """What runs these tests cannot be run by them."""
    site.set_up()
    assert 0 == site.ends(Command(command.page, command.text.replace("make", "make --dry-run", 1)))
    assert re.search(r"-m (pytest|mkdocs)|/(ruff|mypy|mkdocs|lint-imports)\b|scripts/\w+\.py", site.said()), site.said()


def ends_well(site: Site, command: Command) -> None:
    """With 0, and with exactly the environment of the page."""
    site.set_up()
    before = command.before or tuple(BARE)
    assert 0 == site.ends(Command(command.page, command.text, before)), site.said()
    assert "WARNING" not in site.said()


def delivers(site: Site, command: Command) -> None:
    """A whole agent: what is published arrives, and Port hears of it; SIGTERM ends it with 0."""
    site.set_up()
    between, secret = surroundings_of(site.near, command)
    assert 0 == site.ended_by(signal.SIGTERM, command, between, lambda: site.delivers(secret)), site.said()


def starts_and_ends(site: Site, command: Command) -> None:
    """One program of several: ready, and SIGTERM ends it with 0."""
    site.set_up()
    program = command.text.split()[-1]

    def is_up() -> bool:
        return READY[program] in site.said() and (program != "flower" or site.flower_answers())

    code = site.ended_by(signal.SIGTERM, command, [*BARE, *site.lasting], is_up)
    assert 0 == code, site.said()


def answers(site: Site, command: Command) -> None:
    """Beside an agent that has delivered a run; about that one where the command names one."""
    site.set_up()
    between, secret = surroundings_of(site.near, command)
    codes: list[int] = []

    def has_answered() -> bool:
        if site.delivers(secret):
            text = command.text.replace("RUN_ID", site.known_run)
            codes.append(site.ends(Command(command.page, text, command.before), between))
        return bool(codes)

    agent = Command(command.page, "longshore run", command.before)
    assert 0 == site.ended_by(signal.SIGTERM, agent, between, has_answered), site.said()
    assert [0] == codes, site.said()
    if "RUN_ID" in command.text:
        assert site.known_run in site.said()


def surroundings_of(near: list[str], command: Command) -> tuple[list[str], str]:
    """What is to be exported before a command, and the client secret that then holds."""
    if command.before:
        return near, SECRETS[command.page]
    return [*BARE, *near], SETTINGS["PORT_CLIENT_SECRET"]


def finds_the_example_broken(site: Site, command: Command) -> None:
    """Nothing but the host of the example, which does not exist."""
    site.set_up()
    assert 1 == site.ends(command, site.near), site.said()
    broken = [line for line in site.said().splitlines() if line.startswith("BROKEN")]
    assert broken
    assert all("service.internal.example" in line for line in broken), broken


LONGSHORE = r"(\.venv/bin/)?longshore"
WAYS: dict[str, Callable[[Site, Command], None]] = {
    r"make": lists_the_others,
    r"make run": sets_up_and_shows_addresses,
    r"make demo": succeeds_with_the_list,
    r"make (test|check|docs|reference|faults)( \w+=\S+)*": would_run,
    r"docker build .*": ends_well,
    r"docker run .*": delivers,
    rf"(LONGSHORE_DATA=\S+ )?{LONGSHORE} run": delivers,
    rf"{LONGSHORE} (ingest|worker|flower)": starts_and_ends,
    rf"{LONGSHORE} config check": ends_well,
    rf"{LONGSHORE} doctor --url https://service\.internal\.example\S*": finds_the_example_broken,
    rf"{LONGSHORE} (show RUN_ID|dlq list|targets list|status|audit|doctor)": answers,
}
"""How a command is executed, and what it has to do. One that fits none fails its test: write how it can be tried."""


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("command", dict.fromkeys(EXECUTED), ids=lambda command: str(command)[:70])
def test_a_documented_command_does_what_the_page_says(command: Command, site: Site) -> None:
    """In the order of the pages, README.md first: so its `make` sets the clone up."""
    ways = [way for pattern, way in WAYS.items() if re.fullmatch(pattern, command.text)]
    assert 1 == len(ways), f"nobody knows how to try {command}"
    ways[0](site, command)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_on_a_page_is_one_that_the_program_takes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name, its options and, where it is to be typed as it stands, its arguments."""
    monkeypatch.chdir(tmp_path)
    wrong = {}
    for command in commands_of(path):
        for words in calls_of_longshore(command):
            for word in words:
                if re.fullmatch(r"[\w-]+\.jsonl?", word):
                    Path(word).touch()  # the reader's files are there
            if problem := problem_with(words, whole=command.in_block):
                wrong[command.text] = problem
    assert {} == wrong


def problem_with(words: list[str], whole: bool) -> str:
    """What the command line would refuse, without executing anything; `whole` if arguments may not be missing."""
    command: Any = load_all(app)
    name, rest = "longshore", words
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name, *rest = rest
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    try:
        command.make_context(name, list(rest))
    except Exception as refused:
        if type(refused).__name__ == "NoArgsIsHelpError" or (
            type(refused).__name__ == "MissingParameter" and not whole
        ):
            return ""
        return f"{type(refused).__name__}: {refused}"
    return ""


def test_wrong_commands_would_be_found() -> None:
    """The check above can fail."""
    assert problem_with(["dlq", "lst"], whole=False)
    assert problem_with(["dlq", "list", "--reson", "x"], whole=False)
    assert problem_with(["show"], whole=True)
    assert not problem_with(["show"], whole=False)

"""All that the sandbox runs: Kafka, Port and targets in this process, Redis and the agent's programs as children."""

from __future__ import annotations

import secrets
import shutil
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from config.settings import load
from longshore.errors import LongshoreError
from longshore.operations.ledger_access import open_ledger
from longshore.runtime.embedded_redis import HOST, EmbeddedRedis, free_port
from longshore.runtime.managed_process import Child
from longshore.runtime.supervisor import Supervisor
from longshore.sandbox.case import Case
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import Behavior, FakeTargets
from longshore.sandbox.programs import CLIENT_ID, ORGANIZATION, PROGRAMS, Parts, command, environment
from longshore.sandbox.publisher import RecordPublisher, polling_object, topics
from longshore.sandbox.tracker import TrackedMessage, Tracker

PARTITIONS = 2
FLOWER_PORT = 5555
PORT_PAGE_PORT = 8787
SLOW_S = 1.0
"""Well below the timeout."""
LEDGER_TIMEOUT_S = 2.0
"""Whoever looks into the ledger comes again in a moment, and must not be held up when all of it is ending."""
STOP_GRACE_S = 4.0
"""Between SIGTERM and SIGKILL of a child; the worker drains for one second."""


class ProgramFailed(LongshoreError):
    """One of the agent's programs refuses to run here; names it and its log."""

    def __init__(self, program: str, log: Path) -> None:
        super().__init__(program, log)
        self.program = program
        self.log = log

    def __str__(self) -> str:
        return f"{self.program} does not start; the end of {self.log}:\n{read_tail(self.log)}"


class Environment:
    """The parts of a sandbox, with their logs in `folder`; `say` tells the user. Start it once, stop it always."""

    def __init__(self, folder: Path, say: Callable[[str], None], polling: bool = False) -> None:
        """With `polling` there is no Kafka: the fake Port gives out the runs."""
        self.folder = folder
        self.say = say
        self.polling = polling
        self.kafka: EmbeddedKafka | None = None
        self.secret = secrets.token_urlsafe(32)
        self.flower = ""
        self._child_deaths: deque[tuple[str, bool]] = deque(maxlen=1000)
        self._stops: list[Callable[[], object]] = []
        self._supervisor: Supervisor | None = None

    def start(self) -> None:
        """Start all parts; returns when messages can be published, before the programs have come up."""
        self._log_to_file()
        self.redis = EmbeddedRedis(self.folder / "redis", private=True)
        self._stops.append(self.redis.stop)  # the supervisor ends its process; this removes the folder of its socket
        if not self.polling:
            self.kafka = EmbeddedKafka(dict.fromkeys(topics(ORGANIZATION), PARTITIONS))
            self._stops.append(self.kafka.stop)
        self.targets = FakeTargets(HOST, Behavior(slow_s=SLOW_S))
        self._stops.append(self.targets.stop)
        self.targets.start()
        self.port = self._start_port()
        flower_port = self._free_port(FLOWER_PORT, "Flower")
        self.flower = f"http://{HOST}:{flower_port}"
        parts = Parts(
            self.secret,
            self.port.url,
            self._brokers,
            self.redis.url,
            gitlab_url=self.targets.origin("good"),
            flower_port=flower_port,
            folder=self.folder,
        )
        environ = environment(parts)
        self.settings = load(environ)
        self._supervisor = Supervisor(self._children(environ))
        self._supervisor.start()
        started_at = time.monotonic()
        self.redis.wait_ready()
        self.say(f"Redis is ready after {time.monotonic() - started_at:.1f} s; {', '.join(PROGRAMS)} are starting.")
        ledger = open_ledger(self.settings, 2, LEDGER_TIMEOUT_S).ledger
        self._stops.append(ledger.close)
        self.tracker = Tracker(ledger, self.port, self.targets)

    def publish(self, case: Case) -> TrackedMessage:
        """Publish one case, from now on to be followed."""
        if self.kafka is None:
            self.port.offer(polling_object(case.value or b""))
            return TrackedMessage(case, None)
        publisher = RecordPublisher(self.kafka, ORGANIZATION)
        position = publisher.change(case.value) if case.change_log else publisher.run(case.value, case.run_id)
        return TrackedMessage(case, position)

    @property
    def _brokers(self) -> str:
        return self.kafka.bootstrap if self.kafka is not None else ""

    def check(self) -> None:
        """Tell of children that died since the last call; raises `ProgramFailed` for one that will not come back."""
        while self._child_deaths:
            name, final = self._child_deaths.popleft()
            if final:
                raise ProgramFailed(name, self.log_path(name))
            self.say(f"{name} died and is being restarted; see {self.log_path(name)}")

    def log_path(self, program: str) -> Path:
        """Where a child's output goes."""
        return self.folder / f"{program}.log"

    def hurry(self) -> None:
        """Give the children no more time to end than a second."""
        if self._supervisor is not None:
            self._supervisor.request_stop(hurry=True)

    def stop(self) -> None:
        """End everything, the children first. May be called twice."""
        if self._supervisor is not None:
            self._supervisor.stop()
        while self._stops:
            self._stops.pop()()
        shutil.rmtree(self.folder / "redis", ignore_errors=True)

    def __enter__(self) -> Environment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _children(self, environ: Mapping[str, str]) -> list[Child]:
        storage = Child("redis", self.redis.argv(), environ, STOP_GRACE_S, order=1, output=self.log_path("redis"))
        return [
            *(Child(name, command(name), environ, STOP_GRACE_S, output=self.log_path(name)) for name in PROGRAMS),
            storage,
        ]

    def _start_port(self) -> FakePort:
        def start_on(number: int) -> FakePort:
            port = FakePort(HOST, number, client_id=CLIENT_ID, client_secret=self.secret, brokers=[self._brokers])
            self._stops.append(port.stop)
            return port.start()

        return start_on(self._free_port(PORT_PAGE_PORT, "the fake Port"))

    def _free_port(self, preferred: int, owner: str) -> int:
        if is_free(preferred):
            return preferred
        fallback = free_port()
        self.say(f"Port {preferred} is busy: {owner} listens on {fallback} instead.")
        return fallback

    def _log_to_file(self) -> None:
        # The supervisor's lines would tear the live table; what the user must know of them is told by `check`.
        log = (self.folder / "sandbox.log").open("a", buffering=1, encoding="utf-8")
        self._stops.append(log.close)

        def record_deaths(_logger: Any, _level: str, event: Any) -> Any:
            if event.get("event") == "child.died":
                self._child_deaths.append((event["child"], "restart_in_s" not in event))
            return event

        structlog.configure(
            processors=[
                record_deaths,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.WriteLoggerFactory(log),
            cache_logger_on_first_use=False,
        )


def is_free(port: int) -> bool:
    """Whether somebody could listen on this port now."""
    with socket.socket() as probe:
        # Like every server: what lingers of closed connections does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def read_tail(path: Path, size: int = 2000) -> str:
    """The last characters of a log."""
    try:
        return path.read_bytes()[-size:].decode("utf-8", "replace").strip()
    except OSError:
        return "(no log)"

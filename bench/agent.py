"""An agent as it runs in production: its programs, a Redis, a target and a Port, each a process of its own."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Producer

from bench.broker import Broker
from bench.cost import Reading, cpu_s, switches
from bench.messages import KINDS, SECRET
from bench.target_process import TargetProcess
from config.settings import load
from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.log import events
from longshore.operations.ledger_access import open_ledger
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.programs import SCRIPT, Program, eventually

PATIENCE_S = 120.0
"""No wait of the bench is longer; what takes longer fails its row, and the other rows go on."""

START_PATIENCE_S = 300.0
"""Under valgrind, on a busy machine."""

OPEN_LIMITS = {"TARGET_CONCURRENCY": "4000", "LANE_CONCURRENCY": "4000"}
"""For one target that gets everything."""


class Agent:
    """An agent of its own organization. Programs are started one by one; all end with the `with` block."""

    def __init__(
        self,
        folder: Path,
        broker: Broker,
        ports: int,
        environ: Mapping[str, str],
        redis: Callable[[Path], EmbeddedRedis],
    ) -> None:
        self.organization = folder.name
        self._stack = ExitStack()
        folder.mkdir(parents=True)
        self.folder = folder
        self.bootstrap = broker.create_topics(self.organization)
        self.redis = self._stack.enter_context(redis(folder / "redis"))
        self.target = self._stack.enter_context(TargetProcess(ports))
        self.port = self._stack.enter_context(TargetProcess())
        self.environ = {
            "PORT_ORG_ID": self.organization,
            "PORT_CLIENT_ID": "bench",
            "PORT_CLIENT_SECRET": SECRET,
            "PORT_API_BASE_URL": self.port.url(path=""),
            "KAFKA_CONSUMER_GROUP_ID": f"{self.organization}.agent",
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": self.bootstrap,
            "REDIS_URL": self.redis.url,
            # Port's limit is no part of what is measured.
            "PORT_API_RATE": "0",
            **environ,
        }
        self.access = open_ledger(load(self.environ))
        self.programs: dict[str, Program] = {}
        self._producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 0, "log_level": 0})
        self._stack.callback(self._producer.flush, 10)
        self._sent = 0
        self.own_trips = 0

    def run(
        self, role: str = "run", name: str = "", command: Sequence[str] = (str(SCRIPT),), **environ: str
    ) -> Program:
        """Starts the program `role`, called `name` where there are several."""
        folder = self.folder / (name or role)
        folder.mkdir(exist_ok=True)
        program = Program(role, folder=folder, command=command, **(self.environ | environ))
        self.programs[name or role] = program
        self._stack.callback(program.close)
        return program

    def start(self, role: str, name: str = "", command: Sequence[str] = (str(SCRIPT),), **environ: str) -> Program:
        """The same; a worker takes tasks, and ingest reads, when this returns."""
        program = self.run(role, name, command, **environ)
        event = (events.WORKER_READY if role == "worker" else events.INGEST_STARTED).name
        eventually(lambda: event in program.log() or program.process.poll() is not None, event, START_PATIENCE_S)
        assert event in program.log(), f"{role} ended:\n{program.log()[-2000:]}"
        return program

    def stop(self, name: str) -> None:
        """Ends a program in order."""
        program = self.programs.pop(name)
        program.stop()
        program.close()

    def publish(self, kind: str, urls: Iterable[str]) -> list[str]:
        """One message of a kind to each of `urls`, at once; returns their run ids, in order."""
        values = []
        for url in urls:
            self._sent += 1
            id = f"r_{self.organization}_{self._sent:07}"
            values.append((id, KINDS[kind](id, url)))
        for id, value in values:
            self._send(kind, id, value)
        self._producer.flush(PATIENCE_S)
        return [id for id, _ in values]

    def publish_one(self, kind: str, url: str) -> tuple[str, float]:
        """One message; returns its run id, and when it was handed to Kafka's client (seconds since 1970)."""
        self._sent += 1
        id = f"r_{self.organization}_{self._sent:07}"
        value = KINDS[kind](id, url)
        at = time.time()
        self._send(kind, id, value)
        return id, at

    def pause(self, paused: bool, ports: Iterable[int] = (0,)) -> None:
        """Lets targets wait, or go on."""
        for port in ports:
            origin = self.target.url(port, "")
            self.access.targets.set(origin, "", TargetControl(paused=paused))

    def count(self, name: str = State.DONE) -> int:
        """A counter of the ledger: how many ended so, or `backlog`, those that wait."""
        self.own_trips += 1
        return int(self.access.ledger.redis.hget(self.access.ledger.keys.counts, name) or 0)

    def wait_done(self, count: int) -> None:
        """Until so many are delivered, and Port knows of them."""
        eventually(lambda: self.count() >= count, lambda: f"{count} delivered: {self.count()}", PATIENCE_S, every_s=0.1)
        eventually(lambda: not self._unsent_reports(), "no report is left to send", PATIENCE_S, every_s=0.1)

    def read(self) -> Reading:
        """What everything has used so far."""
        self.own_trips += 1
        stats: Any = self.access.ledger.redis.info("stats")
        parts = {name: cpu_s(program.process.pid) for name, program in self.programs.items()}
        assert self.redis.process is not None
        parts["redis"] = cpu_s(self.redis.process.pid)
        workers = [program.process.pid for name, program in self.programs.items() if name.startswith("worker")]
        threads = {thread: count for pid in workers for thread, count in switches(pid).items()}
        return Reading(parts, stats["total_reads_processed"], threads, self.port.stats()["requests"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _send(self, kind: str, id: str, value: bytes) -> None:
        topic = "change.log" if kind == "event" else "runs"
        self._producer.produce(f"{self.organization}.{topic}", value, id.encode())
        self._producer.poll(0)

    def _unsent_reports(self) -> bool:
        keys, redis = self.access.ledger.keys, self.access.ledger.redis
        self.own_trips += 2
        return bool(redis.zcard(keys.outbox) or redis.zcard(keys.outbox_leases))

"""One worker as a real process, with a ledger that the test fills itself: no Kafka in the way."""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, load
from longshore.delivery.target import lane_of, target_of
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping
from longshore.ledger.entry import Entry, OffsetRange
from longshore.ledger.seal import Sealer
from longshore.log import events
from longshore.operations.ledger_access import open_ledger
from longshore.port import reports
from longshore.port.report_codec import encode_report
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from tasks.celery.app import make_app
from tasks.celery.publish import Publisher
from tests.support.programs import SETTINGS, Program, eventually

TOPIC = "bench.runs"
"""What the test puts in seems to come from here: a topic that no ingest reads, so that it skips nothing of its own."""


class Bench:
    """Redis, a fake Port, sample targets, and a ledger to put invocations into."""

    def __init__(self, redis: EmbeddedRedis, port: FakePort, targets: FakeTargets, folder: Path) -> None:
        self.redis, self.port, self.targets, self.folder = redis, port, targets, folder
        self.environ = SETTINGS | {
            "REDIS_URL": redis.url,
            "PORT_API_BASE_URL": port.url,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "WEBHOOK_INVOKER_TIMEOUT": "2",
            "RETRY_BASE_S": "0.05",
            "RETRY_MAX_ATTEMPTS": "4",
            "REPORT_DELAY_S": "0.2",
            "WORKER_SLOTS": "20",
            "LONGSHORE_CA_DIR": str(folder / "ca-certificates"),
            "LONGSHORE_CA_BUNDLE": str(folder / "bundle" / "ca-certificates.crt"),
        }
        self.programs: list[Program] = []
        self.offset = 0
        self._numbers = itertools.count(1)
        mapping = Mapping.load(None, {})
        self.digest = mapping.digest
        mapping.close()

    @property
    def settings(self) -> Settings:
        return load(self.environ)

    def worker(self, **environ: str) -> Program:
        """A worker that has offered its slots."""
        self.environ |= environ
        program = Program("worker", folder=self.folder, **self.environ)
        self.programs.append(program)
        program.says(events.WORKER_READY.name)
        return program

    def new_id(self) -> str:
        """A run's id that no other test of this bench has."""
        return f"r_new_{next(self._numbers)}"

    def accept(self, id: str, sample: str, synchronized: bool = False, **more: Any) -> None:
        """Puts a run for the sample target `sample`, or for a URL, into the ledger."""
        url = sample if "://" in sample else self.targets.url(sample)
        method = {"type": "WEBHOOK", "agent": True, "synchronized": synchronized, "method": "POST", "url": url}
        message = {"context": {"runId": id}, "payload": {"action": {"invocationMethod": method}}}
        sealer = Sealer(self.settings.port_client_secret)
        kind = more.pop("kind", Kind.ACTION_RUN)
        target = more.pop("target", "") or target_of(url)
        own = {
            "target": target,
            "lane": lane_of(target, "deploy"),
            "mapping": f"{self.digest}/1",
            "payload": sealer.seal(json.dumps(message).encode()),
            "unknown_outcome": "park",
            "reports": tuple(one.kind.encode() + sealer.seal(encode_report(one)) for one in reports.received(kind)),
        }
        entry = Entry(
            id=id,
            kind=kind,
            run=id,
            synchronized=synchronized,
            origin=f"{TOPIC}/0/{self.offset}",
            published_ms=round(time.time() * 1000),
            **{**own, **more},
        )
        ledger = open_ledger(self.settings).ledger
        accepted = ledger.accept([OffsetRange(TOPIC, 0, self.offset, self.offset + 1)], [entry])
        Publisher(make_app(self.settings)).publish(accepted.claims)
        self.offset += 1

    def record(self, id: str) -> dict[str, str]:
        """The record of `id`."""
        ledger = open_ledger(self.settings).ledger
        found: Any = ledger.redis.hgetall(ledger.keys.invocation(id))
        return {name.decode(): value.decode() for name, value in found.items()}

    def ends(self, id: str, state: str, reason: str) -> None:
        """Waits for the end of `id`, which must be this one."""
        eventually(lambda: self.record(id).get("state") in ("done", "dead", "unknown"), f"an end of {id}")
        record = self.record(id)
        assert (state, reason) == (record["state"], record["reason"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench with a worker, for all tests of a module that leave both as they were; their runs have new ids."""
    folder = tmp_path_factory.mktemp("served")
    with EmbeddedRedis(folder / "redis") as redis, FakePort() as port, FakeTargets() as targets:
        bench = Bench(redis, port, targets, folder)
        worker = bench.worker()
        yield bench
        assert worker.process.poll() is None, worker.log()
        worker.close()


@pytest.fixture
def bench(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[Bench]:
    with FakePort() as port, FakeTargets() as targets:
        bench = Bench(redis_server, port, targets, tmp_path)
        yield bench
        for program in bench.programs:
            program.close()

"""Many invocations for many targets at once, put straight into the ledger, and real workers to deliver them.

No Kafka: what is to be seen happens between ledger and targets. The targets are `bench/target.py`, a process that costs
next to nothing and remembers every arrival.
"""

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from config.settings import load
from longshore.delivery.target import lane_of, target_of
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping
from longshore.ledger.entry import Entry, OffsetRange
from longshore.ledger.record import bond
from longshore.log import events
from longshore.operations.ledger_access import open_ledger
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.fake_port import FakePort
from tasks.celery.app import make_app
from tasks.celery.publish import Publisher
from tests.support.programs import SCRIPT, SETTINGS, Program

BATCH = 500


class Crowd:
    """A ledger, a fake Port that takes everything, and workers."""

    def __init__(self, folder: Path, server: EmbeddedRedis, **environ: str) -> None:
        self.redis = server
        self.port = FakePort().start()
        self.folder = folder
        self.environ = SETTINGS | {
            "REDIS_URL": server.url,
            "PORT_API_BASE_URL": self.port.url,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "PORT_API_RATE": "0",
            "LEASE_S": "8",
            **environ,
        }
        settings = load(self.environ)
        self.access = open_ledger(settings)
        self.ledger = self.access.ledger
        self._publisher = Publisher(make_app(settings))
        self._offset = 0
        self._programs: list[Program] = []
        mapping = Mapping.load(None, {})
        self._digest = mapping.digest
        mapping.close()

    def worker(self, command: Sequence[str] = (str(SCRIPT),)) -> Program:
        """A worker that has offered its slots; `command` is what starts it, the console script if nothing else."""
        folder = self.folder / f"worker-{len(self._programs)}"
        folder.mkdir()
        program = Program("worker", folder=folder, command=command, **self.environ)
        self._programs.append(program)
        program.says(events.WORKER_READY.name)
        self.ledger.accept([], [], 0)  # the format to write is that of the workers there are, as for an ingest
        return program

    def put(self, ids: Sequence[str], url: str, action: str = "deploy", dead: str = "", start: bool = False) -> None:
        """Runs for `url` into the ledger; with `start` what may start does so at once, as from ingest."""
        for first in range(0, len(ids), BATCH):
            entries = [self._entry(id, url, action, dead) for id in ids[first : first + BATCH]]
            span = OffsetRange("org.runs", 0, self._offset - len(entries), self._offset)
            accepted = self.ledger.accept([span], entries, 500 if start else 0)
            self._publisher.publish(accepted.claims)

    def states(self, ids: Iterable[str]) -> dict[str, str]:
        """The state of each."""
        ids = list(ids)
        pipe = self.ledger.redis.pipeline(transaction=False)
        for id in ids:
            pipe.hget(self.ledger.keys.invocation(id), "state")
        found: Any = pipe.execute()
        return {id: (state or b"").decode() for id, state in zip(ids, found, strict=True)}

    def count(self, what: str) -> int:
        """A counter of the ledger."""
        return int(self.ledger.redis.hget(self.ledger.keys.counts, what) or 0)

    def close(self) -> None:
        """Ends everything."""
        for program in self._programs:
            program.close()
        self.port.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _entry(self, id: str, url: str, action: str, dead: str) -> Entry:
        method = {"type": "WEBHOOK", "agent": True, "synchronized": False, "method": "POST", "url": url}
        message = {"context": {"runId": id}, "payload": {"action": {"invocationMethod": method}}}
        target = target_of(url)
        self._offset += 1
        return Entry(
            id=id,
            kind=Kind.ACTION_RUN,
            run=id,
            target=target,
            lane=lane_of(target, action),
            synchronized=False,
            origin=f"org.runs/0/{self._offset - 1}",
            published_ms=round(time.time() * 1000),
            mapping=f"{self._digest}/1",
            payload=self.access.sealer.seal(
                json.dumps(message, separators=(",", ":")).encode(), bond(self.ledger.format, "payload", id, run=id)
            ),
            format=self.ledger.format,
            unknown_outcome="park",
            dead=dead,
        )

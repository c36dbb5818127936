"""Ingest in a thread of the test, between a Kafka and a Redis that can be broken at will."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from config.roles import Role
from config.settings import Settings, load
from ingest.service import IngestService
from longshore.ledger.ledger import Ledger
from longshore.operations.ledger_access import open_ledger
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.publisher import action_run, as_text
from tests.support.programs import eventually

SECRET = "secret-0123456789"
URL = "http://127.0.0.1:9/hook"
NOBODY = "http://127.0.0.1:9"
"""Where no Port API is."""


@dataclass
class Ingest:
    """One ingest. `ledger` looks into the Redis it fills."""

    settings: Settings
    exit_code: int | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _service: IngestService | None = None

    def start(self) -> "Ingest":
        service = self._service = IngestService(self.settings, self._stop)

        def work() -> None:
            self.exit_code = service.run()

        self._thread = threading.Thread(target=work)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
            assert not self._thread.is_alive()

    def close(self) -> None:
        """Stop it, and let go of its ledger, and of what its last calls to Port have opened."""
        self.stop()
        self.ledger.redis.close()
        calls = ("claim", "ack", "room", "announce")
        eventually(lambda: not any(thread.name in calls for thread in threading.enumerate()), "no call is under way")
        if self._service is not None:
            self._service._port.close()
            self._service._ledger.close()

    @cached_property
    def ledger(self) -> Ledger:
        return open_ledger(self.settings).ledger

    def count(self, what: str) -> int:
        """A counter of the ledger, such as `accepted` or `repeated`."""
        return int(self.ledger.redis.hget(self.ledger.keys.counts, what) or 0)

    def partition(self, topic: str, number: int) -> dict[str, int]:
        """What the ledger knows of a partition."""
        fields: Any = self.ledger.redis.hgetall(self.ledger.keys.partition(topic, number))
        return {name.decode(): int(value) for name, value in fields.items()}

    def eventually(self, what: str, number: int) -> None:
        """Wait until a counter has this value."""
        eventually(lambda: self.count(what) == number, f"{number} {what}")


MakeIngest = Callable[..., Ingest]


@pytest.fixture
def make_ingest(kafka: EmbeddedKafka, redis_server: EmbeddedRedis) -> Iterator[MakeIngest]:
    """Ingests for a broker address, a Redis and more settings; all are stopped before what they depend on."""
    ingests: list[Ingest] = []

    def make(bootstrap: str, redis: EmbeddedRedis, **more: str) -> Ingest:
        environ = {
            "PORT_ORG_ID": "org",
            "PORT_CLIENT_ID": "client",
            "PORT_CLIENT_SECRET": SECRET,
            "PORT_API_BASE_URL": NOBODY,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": bootstrap,
            "KAFKA_CONSUMER_GROUP_ID": "org.agent",
            # The shortest a real broker takes: what a member that left without a word costs the others.
            "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "6000",
            "REDIS_URL": redis.url,
            "COMMIT_DELAY_S": "0.5",
            **more,
        }
        if environ["USING_LOCAL_PORT_INSTANCE"] == "false":
            del environ["KAFKA_CONSUMER_BOOTSTRAP_SERVERS"]
        ingests.append(Ingest(load(environ, Role.INGEST)))
        return ingests[-1]

    yield make
    for ingest in ingests:
        ingest.close()


@pytest.fixture
def ingest(make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis) -> Ingest:
    """An ingest between the embedded Kafka and a Redis of its own, running."""
    return make_ingest(kafka.bootstrap, redis_server).start()


def run(number: int, **more: object) -> bytes:
    """The Kafka value of action run `r_<number>`."""
    return as_text(action_run(f"r_{number}", URL, **more), SECRET)  # type: ignore[arg-type]

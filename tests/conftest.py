"""Redis and Kafka for the tests: real processes on free loopback ports, never the machine's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from tests.support.kafka_broker import KafkaBroker, missing_programs

pytest_plugins = ["tests.support.faults_table"]

REQUIRE_REAL_KAFKA = "LONGSHORE_REQUIRE_REAL_KAFKA"
ONE_AFTER_THE_OTHER = ("tests/faults", "tests/integration/ingest")
"""Folders whose tests share a real broker, and keep a machine busy by themselves."""


class ByFile(LoadScopeScheduling):
    """Where tests run side by side, those of one file stay together: what they share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in ONE_AFTER_THE_OTHER if nodeid.startswith(folder)), nodeid.split("::", 1)[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What can only run one after the other comes first: it would be what all others wait for at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(ONE_AFTER_THE_OTHER))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Take `ByFile`: groups of xdist itself have no effect with pytest 9.2, which takes no changed node ids."""
    return ByFile(config, log)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of this test's own, to be killed and restarted at will (10 ms each)."""
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """One Redis for all tests that leave it running; get it emptied through `redis_client`."""
    with EmbeddedRedis(tmp_path_factory.mktemp("shared-redis")) as server:
        yield server


@pytest.fixture
def redis_client(shared_redis: EmbeddedRedis) -> Iterator[redis.Redis]:
    """A client (bytes, not text) of the shared Redis, which is empty, scripts included."""
    with redis.Redis.from_url(shared_redis.url) as client:
        client.flushall()
        client.script_flush()
        yield client


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    """An embedded Kafka with the topics of an organization `org` (5 ms); see `EmbeddedKafka` for what it cannot do."""
    with EmbeddedKafka({"org.runs": 4, "org.change.log": 4}) as broker:
        yield broker


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real broker for all tests that need one; each makes topics and groups of its own.

    Without Java or Maven the test is skipped, unless LONGSHORE_REQUIRE_REAL_KAFKA=1 says that they must be there.
    """
    if missing := missing_programs():
        reason = f"a real Kafka broker needs {' and '.join(missing)}, which is not installed"
        if os.environ.get(REQUIRE_REAL_KAFKA) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    try:
        yield broker.start()
    finally:
        broker.kill()  # its data goes with the folder: nothing to save

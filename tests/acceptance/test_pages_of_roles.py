"""The pages of an ingest and of a Flower that run by themselves. Each failure happens for real, is told, and heals."""

from pathlib import Path

import pytest

from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.flower import Flower
from tests.support.monitored import Monitored
from tests.support.programs import SETTINGS, Program

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def environ(kafka: EmbeddedKafka, redis_server: EmbeddedRedis) -> dict[str, str]:
    return SETTINGS | {
        "REDIS_URL": redis_server.url,
        "PORT_API_BASE_URL": NOBODY,
        "USING_LOCAL_PORT_INSTANCE": "true",
        "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
    }


def test_an_ingest_that_pauses_is_alive_and_ready(
    kafka: EmbeddedKafka, redis_server: EmbeddedRedis, environ: dict[str, str], tmp_path: Path
) -> None:
    """It only waits until workers have made room. Without Kafka or Redis it is not ready, and comes back with them."""
    pages = Monitored()
    ingest = Program("ingest", folder=tmp_path, BACKLOG_LIMIT="5", **environ, **pages.environ)
    try:
        pages.says("/readyz", True)
        publisher = RecordPublisher(kafka, SETTINGS["PORT_ORG_ID"])
        for number in range(20):
            message = action_run(f"r_{number}", f"{NOBODY}/hook")
            publisher.run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), f"r_{number}")
        pages.reaches(1, "longshore_ingest_paused", cause="backlog")
        pages.says("/readyz", True)
        pages.says("/livez", True)

        kafka.down()
        pages.says("/readyz", False, "kafka: no broker of Kafka can be reached")
        pages.says("/livez", True)
        kafka.up()
        pages.says("/readyz", True)

        redis_server.kill()
        pages.says("/readyz", False, "redis: Redis has not answered")
        pages.says("/livez", True)
        pages.reaches(0, "longshore_fleet_redis_up")
        redis_server.start()
        pages.says("/readyz", True)
        pages.reaches(1, "longshore_ingest_paused", cause="backlog")
    finally:
        ingest.close()


def test_flower_has_pages_too(redis_server: EmbeddedRedis, environ: dict[str, str], tmp_path: Path) -> None:
    """With the fleet's numbers; without Redis it is alive but not ready, and comes back with it."""
    pages = Monitored()
    flower = Flower(tmp_path, **environ, **pages.environ)
    try:
        pages.says("/livez", True)
        pages.says("/readyz", True)
        assert 0 == pages.value("longshore_fleet_backlog")
        assert 1 == pages.value("longshore_info", role="flower")
        redis_server.kill()
        pages.says("/readyz", False, "redis: Redis has not answered")
        pages.says("/livez", True)
        redis_server.start()
        pages.says("/readyz", True)
    finally:
        flower.close()

"""The ingest process and its signals: it ends within seconds, whatever hangs."""

import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from tests.integration.ingest.conftest import SECRET, Ingest, MakeIngest, run
from tests.support.programs import Program, eventually

ON_ITS_WAY = 500
"""Bytes in which the run is: what is asked of Redis from time to time is shorter."""

TRIES = 5
SOON_S = 5.0


@pytest.fixture
def watched(make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis) -> Ingest:
    """Not started: only to look into the ledger that the process fills."""
    return make_ingest(kafka.bootstrap, redis_server)


def program(folder: Path, ingest: Ingest) -> Program:
    settings = ingest.settings
    return Program(
        "ingest",
        folder=folder,
        PORT_ORG_ID="org",
        PORT_CLIENT_ID="client",
        PORT_CLIENT_SECRET=SECRET,
        PORT_API_BASE_URL=settings.port_api_base_url,
        USING_LOCAL_PORT_INSTANCE="true",
        KAFKA_CONSUMER_BOOTSTRAP_SERVERS=settings.kafka_consumer_bootstrap_servers,
        KAFKA_CONSUMER_GROUP_ID="org.agent",
        KAFKA_CONSUMER_SESSION_TIMEOUT_MS="6000",
        REDIS_URL=settings.redis_url,
    )


def is_soon(condition: Callable[[], bool]) -> bool:
    """Whether it becomes so within some seconds."""
    try:
        eventually(condition, patience_s=SOON_S)
    except AssertionError:
        return False
    return True


def unread_bytes(url: str) -> int:
    """How much waits in the longest receive queue of the connections to this Redis."""
    port = f":{urlsplit(url).port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return max((int(row[4].partition(":")[2], 16) for row in rows if row[1].endswith(port)), default=0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal(tmp_path: Path, kafka: EmbeddedKafka, watched: Ingest, number: signal.Signals) -> None:
    """Exit code 0, and its jq process goes with it."""
    ingest = program(tmp_path, watched)
    kafka.publish("org.runs", run(1))
    watched.eventually("accepted", 1)
    children = psutil.Process(ingest.process.pid).children()
    assert children

    ingest.process.send_signal(number)

    assert ingest.process.wait(10) == 0
    eventually(lambda: not any(child.is_running() for child in children), "the end of its children")


def test_it_ends_while_redis_hangs(
    tmp_path: Path, kafka: EmbeddedKafka, redis_server: EmbeddedRedis, watched: Ingest
) -> None:
    """A Redis that took the connection and says nothing; what was on its way is not committed."""
    ingest, settings = program(tmp_path, watched), watched.settings
    kafka.publish("org.runs", run(1))
    watched.eventually("accepted", 1)
    assert redis_server.process is not None
    try:
        # Stopped while it was asked something else, it would not even be sent the run before that has timed out, and
        # from then on no more than the first words of each new connection.
        for number in range(2, 2 + TRIES):
            redis_server.process.send_signal(signal.SIGSTOP)
            kafka.publish("org.runs", run(number))
            if is_soon(lambda: unread_bytes(settings.redis_url) >= ON_ITS_WAY):
                break
            redis_server.process.send_signal(signal.SIGCONT)
            watched.eventually("accepted", number)
        else:
            pytest.fail("no run was on its way to Redis")
        ingest.process.terminate()
        assert ingest.process.wait(10) == 0
    finally:
        redis_server.process.send_signal(signal.SIGCONT)

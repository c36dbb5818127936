"""What every program does when it meets its Redis."""

from pathlib import Path

import pytest
import redis

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis, free_port
from tests.support.programs import SETTINGS, Program, longshore

KAFKA = {"USING_LOCAL_PORT_INSTANCE": "true", "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


@pytest.mark.parametrize("command", ["ingest", "worker", "flower", "run"])
def test_no_program_works_with_a_redis_that_evicts(command: str, redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """Exit code 78, the remedy on standard error."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")

    ended = longshore(command, folder=tmp_path, **SETTINGS, **KAFKA, REDIS_URL=redis_server.url)

    assert 78 == ended.returncode
    assert "REDIS_URL: this Redis evicts keys" in ended.stderr
    assert "maxmemory-policy noeviction" in ended.stderr


@pytest.mark.parametrize("command", ["ingest", "worker"])
def test_a_program_waits_for_its_redis_and_can_be_stopped_meanwhile(command: str, tmp_path: Path) -> None:
    """Started in any order; exit code 0, as there is nothing to save."""
    address = f"redis://127.0.0.1:{free_port()}/0"
    program = Program(command, folder=tmp_path, **SETTINGS, **KAFKA, REDIS_URL=address)
    try:
        program.says(events.REDIS_AWAITED.name)
        assert 0 == program.stop()
    finally:
        program.close()


def test_a_worker_goes_on_when_its_redis_comes(tmp_path: Path) -> None:
    """Nobody starts it anew."""
    redis_server = EmbeddedRedis(tmp_path / "redis")
    worker = Program("worker", folder=tmp_path, **SETTINGS, REDIS_URL=redis_server.url)
    try:
        worker.says(events.REDIS_AWAITED.name)
        with redis_server:
            worker.says(events.WORKER_READY.name)
            assert 0 == worker.stop()
    finally:
        worker.close()

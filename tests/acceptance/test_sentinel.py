"""Behind Sentinel: primary, replica and sentinel as processes, and a worker that survives the failover."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from longshore.errors import StoreUnavailable
from longshore.ledger.connection import connect
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.programs import eventually
from tests.support.replication import replicate
from tests.support.sentinel import Sentinel

from .conftest import Bench


@pytest.fixture
def replica(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "replica") as server:
        replicate(redis_server, server)
        yield server


@pytest.fixture
def sentinel(redis_server: EmbeddedRedis, replica: EmbeddedRedis, tmp_path: Path) -> Iterator[Sentinel]:
    watching = Sentinel(tmp_path, redis_server)
    try:
        eventually(watching.knows_its_replica, "the sentinel knows the replica")
        yield watching
    finally:
        watching.close()


def delivered(bench: Bench, id: str) -> bool:
    """Whether it is; False while nobody knows who is primary."""
    try:
        return bench.record(id).get("state") == "done"
    except redis.RedisError:
        return False


def accepted(bench: Bench, id: str) -> bool:
    """Put it into the ledger, as ingest does it: again and again until Redis answers."""
    try:
        bench.accept(id, "good")
    except StoreUnavailable:
        return False
    return True


def test_a_worker_follows_its_redis_to_another_server(bench: Bench, sentinel: Sentinel, replica: EmbeddedRedis) -> None:
    """Ledger and wake-up calls both, in the same process; what was under way ends."""
    bench.environ |= {"REDIS_URL": sentinel.url, "REDIS_MASTER_NAME": "ours"}
    worker = bench.worker(WEBHOOK_INVOKER_TIMEOUT="20")
    bench.accept("r_1", "good")
    bench.ends("r_1", "done", "delivered")
    bench.accept("r_2", "slow")
    eventually(lambda: bench.record("r_2")["state"] == "begun", "the attempt begins")
    with redis.Redis.from_url(bench.redis.url) as primary:
        assert primary.wait(1, 5000)

    bench.redis.kill()

    eventually(lambda: delivered(bench, "r_2"), "the end of what was under way")
    eventually(lambda: accepted(bench, "r_3"), "the new primary takes work")
    eventually(lambda: delivered(bench, "r_3"), "the end of what came later")
    with connect(replica.url) as client:
        assert client.info("replication")["role"] == "master"
    assert 1 == len(bench.targets.received("r_2"))
    assert worker.process.poll() is None

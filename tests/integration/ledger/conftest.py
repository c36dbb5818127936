"""A ledger on a real Redis, and short ways to put invocations in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from longshore.delivery.target import lane_of
from longshore.invocation.kinds import Kind
from longshore.ledger.connection import connect
from longshore.ledger.entry import Entry, OffsetRange
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.runtime.embedded_redis import EmbeddedRedis


@pytest.fixture(scope="session")
def store_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(Path(tmp_path_factory.mktemp("redis")))
    server.start()
    server.wait_ready()
    yield server
    server.stop()


@pytest.fixture
def client(store_redis: EmbeddedRedis) -> Iterator["redis.Redis"]:
    client = connect(store_redis.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def make_ledger(client: "redis.Redis") -> Callable[..., Ledger]:
    def make(**numbers: float) -> Ledger:
        return Ledger(client, Keys.of("org_1/org_1.agent"), Limits(**numbers))  # type: ignore[arg-type]

    return make


@pytest.fixture
def ledger(make_ledger: Callable[..., Ledger]) -> Ledger:
    """A ledger with a fleet of 100 slots."""
    ledger = make_ledger()
    ledger.heartbeat("worker-1", 100)
    return ledger


def entry(id: str, target: str = "http://a:80", action: str = "deploy", offset: int = 0, **more: object) -> Entry:
    values: dict[str, object] = {
        "id": id,
        "kind": Kind.ACTION_RUN,
        "run": id,
        "target": target,
        "lane": lane_of(target, action),
        "synchronized": False,
        "origin": f"org_1.runs/0/{offset}",
        "published_ms": 1_767_225_600_000,
        "mapping": "0123456789abcdef",
        "payload": b"sealed",
        "unknown_outcome": "park",
        **more,
    }
    return Entry(**values)  # type: ignore[arg-type]


def span(first: int, next: int, expected: int | None = None, **skipped: int) -> OffsetRange:
    return OffsetRange("org_1.runs", 0, first, next, expected, skipped)


def store(ledger: Ledger, *entries: Entry, max_claims: int = 0) -> None:
    ledger.accept([span(0, len(entries))], entries, max_claims)


def state(ledger: Ledger, id: str) -> str:
    value = ledger.redis.hget(ledger.keys.invocation(id), "state")
    return value.decode() if isinstance(value, bytes) else ""


def lapse(ledger: Ledger, id: str) -> None:
    """The lease of `id` ended long ago."""
    ledger.redis.zadd(ledger.keys.leases, {id: -1})

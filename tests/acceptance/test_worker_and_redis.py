"""A worker while Redis refuses commands or drops connections: it goes on, and what is under way still ends."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.programs import eventually
from tests.support.relays import Pair

from .conftest import Bench

Refusal = tuple[Callable[[Bench, "redis.Redis"], object], Callable[["redis.Redis"], object]]


def _disk_full(bench: Bench, client: "redis.Redis") -> None:
    # Where the snapshot should go stands a folder, so saving fails: the same answer, MISCONF, as when the disk is full.
    (bench.redis.data_dir / "dump.rdb" / "taken").mkdir(parents=True)
    client.config_set("save", "3600 1")
    client.bgsave()
    eventually(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "saving fails")


def _kill_all(_: Bench, client: "redis.Redis") -> None:
    for kind in ("normal", "pubsub"):
        client.client_kill_filter(_type=kind, skipme=True)


REFUSALS: dict[str, Refusal] = {
    "MISCONF": (_disk_full, lambda client: client.config_set("stop-writes-on-bgsave-error", "no")),
    "NOREPLICAS": (
        lambda _, client: client.config_set("min-replicas-to-write", 1),
        lambda client: client.config_set("min-replicas-to-write", 0),
    ),
    "READONLY": (
        lambda _, client: client.slaveof("127.0.0.1", 1),
        lambda client: client.slaveof(),
    ),
    "connections killed": (_kill_all, lambda _: None),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_worker_outlives_what_redis_refuses(bench: Bench, refusal: str) -> None:
    """Neither dead nor deaf: the same process takes the next invocation once Redis takes commands again."""
    worker = bench.worker(WEBHOOK_INVOKER_TIMEOUT="20")
    bench.accept("r_0", "slow")
    eventually(lambda: bench.record("r_0")["state"] == "begun", "the attempt begins")
    begin, end = REFUSALS[refusal]
    with redis.Redis.from_url(bench.redis.url) as client:
        begin(bench, client)
        worker.says("Connection to broker lost")
        end(client)

    bench.ends("r_0", "done", "delivered")
    bench.accept("r_1", "good")
    bench.ends("r_1", "done", "delivered")
    assert 1 == len(bench.targets.received("r_0"))
    assert worker.process.poll() is None


def test_a_full_redis_still_takes_what_ends_and_hands_out_what_waits(bench: Bench) -> None:
    """At maxmemory only intake is refused; retries, results and reports go on, and give room back."""
    bench.worker(WEBHOOK_INVOKER_TIMEOUT="20")
    bench.accept("r_slow", "slow", synchronized=True)
    bench.accept("r_flaky", "flaky")
    with redis.Redis.from_url(bench.redis.url) as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.set("x", "x")

        bench.ends("r_slow", "done", "delivered")
        bench.ends("r_flaky", "done", "delivered")
        eventually(lambda: bench.port.runs["r_slow"].state == "SUCCESS", "Port is told")


def test_a_worker_follows_an_address_though_its_old_connections_stay_open(bench: Bench, tmp_path: Path) -> None:
    """Ledger and wake-up calls alike; a run that waited before the failover is delivered after it."""
    with EmbeddedRedis(tmp_path / "second") as second, Pair(bench.redis, second) as pair:
        worker = bench.worker(REDIS_URL=pair.url, RETRY_BASE_S="1")
        bench.accept("r_1", "good")
        bench.ends("r_1", "done", "delivered")
        bench.accept("r_flaky", "flaky")
        eventually(lambda: bench.record("r_flaky").get("attempts") == "1", "it has failed once")

        pair.fail_over()

        bench.ends("r_flaky", "done", "delivered")
        bench.accept("r_2", "good")
        bench.ends("r_2", "done", "delivered")
        assert worker.process.poll() is None
        assert pair.primary.client_list(_type="pubsub")


def test_a_worker_outlives_whatever_somebody_writes_into_its_list(bench: Bench) -> None:
    """Neither does it end, nor do the elements it drops use up what it may have at once."""
    worker = bench.worker(WORKER_SLOTS="3", WORKER_EVENTS="true")
    with redis.Redis.from_url(bench.redis.url) as client:
        prefix = f"longshore:{{{bench.settings.namespace}}}:celery:"
        for element in elements():
            client.lpush(f"{prefix}deliver", element)
        for channel in client.pubsub_channels():
            for element in elements():
                client.publish(channel, element)
        eventually(lambda: client.llen(f"{prefix}deliver") == 0, "they are taken")

    bench.accept("r_1", "good")
    bench.ends("r_1", "done", "delivered")
    assert worker.process.poll() is None
    assert events.CELERY_MESSAGE_DROPPED.name in worker.log()


def elements() -> Iterator[bytes]:
    """What is no message of Celery's, in every part of one."""
    yield from (b"x", b"", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b"[]", b"7", b"null", b'"text"', b"{}", b"NaN")
    yield b'"' + b"x" * (32 << 20) + b'"'
    body = base64.b64encode(b'[["r_odd", 1, 0], {}, {}]').decode()
    headers = {"task": "deliver", "id": "r_odd", "lang": "py"}
    properties = {"delivery_tag": "1", "body_encoding": "base64", "delivery_info": {"routing_key": "deliver"}}
    good = {"body": body, "content-type": "application/json", "content-encoding": "utf-8", "headers": headers}
    good |= {"properties": properties}
    anything: tuple[Any, ...] = ([], {}, 7, "x", None)
    of_body = (*anything, "%%%", "é", "eA==", "//4=", base64.b64encode(b"[" * 100_000).decode())
    odd: list[dict[str, Any]] = [{"body": value} for value in of_body]
    odd += [{"body": base64.b64encode(text).decode()} for text in (b"7", b"[]", b'"x"', b"[7, 7, 7]", b"[[], 7, {}]")]
    odd += [{"content-type": value} for value in (*anything, "application/x-python-serialize", "what/ever")]
    odd += [{"content-encoding": value} for value in (*anything, "rot13", "punycode")]
    odd += [{"headers": value} for value in (*anything, {"task": []}, {"task": "unknown"}, {"task": "deliver"})]
    odd += [{"headers": headers | {name: value}} for name in ("compression", *NAMES) for value in anything]
    odd += [{"properties": value} for value in anything]
    odd += [{"properties": properties | {name: value}} for name in properties for value in anything]
    for number, change in enumerate(odd):
        element = good | change
        if isinstance(change.get("properties", {}), dict) and "delivery_tag" not in change.get("properties", {}):
            element["properties"] = properties | {"delivery_tag": f"odd-{number}"} | change.get("properties", {})
        yield json.dumps(element).encode()


NAMES = ("id", "eta", "expires", "timelimit", "shadow", "root_id", "retries", "argsrepr", "group", "stamps")

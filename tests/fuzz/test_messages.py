"""Whatever Kafka holds: each record is accounted for in a real ledger, and what was meant for us is in it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from ingest.batch_preparer import BatchPreparer
from ingest.entry_builder import EntryBuilder
from ingest.kafka.record import KafkaRecord
from longshore.delivery.policy import DEFAULTS
from longshore.invocation.mapping import Mapping
from longshore.invocation.stream import Stream
from longshore.ledger.audit import audit
from longshore.ledger.connection import connect
from longshore.ledger.entry import OffsetRange
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.seal import Sealer
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.publisher import action_run, change_log_event, node_run, signed, text_of

SECRET = "secret-0123456789"
URL = "http://deployer.internal:8080/x"
odd: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\0"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """One of Port's messages with something odd in one place; signed, or with some bytes changed after that."""
    message = draw(st.sampled_from([action_run("r_1", URL), node_run("n_1", URL), change_log_event(URL, "x")]))
    message = json.loads(text_of(message))
    place: Any = message
    while (key := draw(st.sampled_from(sorted(place)))) and isinstance(place[key], dict) and place[key]:
        place = place[key]
        if draw(st.booleans()):
            break
    place[draw(st.sampled_from(sorted(place))) if place is not message else key] = draw(odd)
    is_signed = isinstance(message.get("headers", {}), dict) and draw(st.integers(0, 3)) > 0
    raw = bytearray(text_of(signed(message, SECRET) if is_signed else message))
    for at in draw(st.lists(st.integers(0, len(raw) - 1), max_size=2)):
        raw[at] = draw(st.integers(0, 255))
    return bytes(raw)


@pytest.fixture(scope="module")
def preparer() -> Iterator[BatchPreparer]:
    mapping = Mapping.load(None, {})
    builder = EntryBuilder(mapping, Sealer(SECRET), DEFAULTS, fail_unmatched_nodes=True)
    yield BatchPreparer({"runs": Stream.RUNS, "log": Stream.CHANGE_LOG}, [SECRET], mapping, builder, 1 << 20)
    mapping.close()


@pytest.fixture(scope="module")
def client(shared_redis: EmbeddedRedis) -> Iterator["redis.Redis"]:
    client = connect(shared_redis.url)
    yield client
    client.close()


@given(
    values=st.lists(messages() | st.binary(max_size=60) | st.none(), min_size=1, max_size=5),
    topic=st.sampled_from(["runs", "log"]),
)
def test_no_record_is_lost_on_its_way_to_the_ledger(
    preparer: BatchPreparer, client: "redis.Redis", values: list[bytes | None], topic: str
) -> None:
    """Counted as skipped, or there: waiting, or as a dead letter."""
    client.flushall()
    ledger = Ledger(client, Keys.of("org/agent"), Limits())
    prepared = preparer.prepare([KafkaRecord(topic, 0, n, 1000 + n, value) for n, value in enumerate(values)])
    assert len(values) == len(prepared.entries) + len(prepared.skipped)
    skipped: dict[str, int] = {}
    for _, reason in prepared.skipped:
        skipped[reason] = skipped.get(reason, 0) + 1
    accepted = ledger.accept([OffsetRange(topic, 0, 0, len(values), None, skipped)], prepared.entries)
    assert len(prepared.entries) == len(accepted.results)
    balance = audit(ledger)
    assert balance.is_balanced, balance.problems
    assert {entry.id for entry in prepared.entries} == set(_ids(client))


def _ids(client: "redis.Redis") -> Iterator[str]:
    for name in client.scan_iter(match="*}:inv:*"):
        yield name.partition(b"}:inv:")[2].decode("utf-8", "surrogatepass")

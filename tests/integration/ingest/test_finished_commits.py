"""Commits for a Redis that does not last: only what is finished is behind them, and a new ledger goes on from there."""

from typing import Any

import pytest

from longshore.ledger.entry import AttemptEnd
from longshore.ledger.states import State
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.integration.ingest.conftest import Ingest, MakeIngest
from tests.integration.ingest.topics import Topics, accounted, make
from tests.support.kafka_broker import KafkaBroker
from tests.support.one_claim import begin_one, finish_one
from tests.support.programs import eventually

pytestmark = pytest.mark.real_kafka

FINISHED = {"COMMIT_MODE": "finished", "LANE_CONCURRENCY": "10000", "TARGET_CONCURRENCY": "10000"}


@pytest.fixture
def topics(real_kafka: KafkaBroker) -> Topics:
    return Topics(real_kafka)


def finish(ingest: Ingest, numbers: set[int]) -> None:
    """What workers do: deliver these, and have Port told."""
    ledger = ingest.ledger
    ledger.heartbeat("worker-1", 100_000)
    ids = {f"r_{number}" for number in numbers}
    while True:
        claims, _ = ledger.pump()[:2]
        if not claims:
            break
        for claim in claims:
            if claim.id in ids:
                assert begin_one(ledger, claim.id, claim.token) is not None
                finish_one(ledger, claim.id, claim.token, AttemptEnd(State.DONE, "delivered", 200), max_claims=0)
                ids.discard(claim.id)
    assert not ids
    # Port hears at most so many a second, so it is not asked here.
    keys: list[Any] = [ledger.keys.reports(f"r_{number}") for number in numbers]
    ledger.redis.delete(*keys)


def test_commits_stop_below_what_is_unfinished_and_name_what_is_finished_above(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis
) -> None:
    """Accepted alone is not enough, as the ledger ends with its container."""
    topics.publish(range(10))
    ingest = make(make_ingest, topics, redis_server, **FINISHED).start()
    ingest.eventually("accepted", 10)
    finish(ingest, {0, 1, 4, 5, 9})

    eventually(lambda: topics.read_commit()[0] == 2, "the commit")
    _, metadata = topics.read_commit()
    assert metadata is not None
    assert metadata.finished == ((4, 6), (9, 10))


def test_a_new_ledger_gets_what_was_unfinished_and_nothing_else(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Twice in a row, with more coming in between: neither lost nor repeated, and every offset accounted for."""
    topics.publish(range(100))
    first = make(make_ingest, topics, redis_server, **FINISHED).start()
    first.eventually("accepted", 100)
    finished = set(range(0, 100, 3)) | {1}
    finish(first, finished)
    eventually(lambda: topics.read_commit()[0] == 2, "the commit")
    first.stop()

    with EmbeddedRedis(tmp_path_factory.mktemp("second")) as empty:
        topics.publish(range(100, 120))
        second = make(make_ingest, topics, empty, **FINISHED).start()
        second.eventually("accepted", 120 - len(finished))
        assert accounted(second, topics)["skipped:finished_before"] == len([n for n in finished if n >= 2])
        assert not [n for n in finished if second.ledger.redis.exists(second.ledger.keys.invocation(f"r_{n}"))]
        more = {2, *range(5, 120, 3)}
        finish(second, more)
        eventually(lambda: topics.read_commit()[0] == 4, "the commit")
        second.stop()
    finished |= more

    with EmbeddedRedis(tmp_path_factory.mktemp("third")) as empty:
        third = make(make_ingest, topics, empty, **FINISHED).start()
        third.eventually("accepted", 120 - len(finished))
        eventually(lambda: accounted(third, topics)["next"] == 120, "all read")


def test_a_restarted_ingest_keeps_what_the_metadata_knew(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis
) -> None:
    """It reads from the lowest unfinished on, and does not forget meanwhile what is finished further up."""
    topics.publish(range(100))
    first = make(make_ingest, topics, redis_server, **FINISHED).start()
    first.eventually("accepted", 100)
    finish(first, set(range(1, 100)))
    eventually(lambda: (metadata := topics.read_commit()[1]) is not None and metadata.finished, "the commit")
    first.stop()
    second = make(make_ingest, topics, redis_server, KAFKA_BATCH_SIZE="1", **FINISHED).start()
    eventually(lambda: second.partition(topics.runs, 0)["read"] > 100, "it reads again")

    offset, metadata = topics.read_commit()
    assert metadata is not None
    assert (offset, metadata.finished) == (0, ((1, 100),))


def test_ingest_waits_for_room_in_the_metadata(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka is the buffer; as soon as something is finished, it goes on. Here 20 bytes stand for nearly 3,000."""
    monkeypatch.setattr("ingest.kafka.offset_set.MAX_BYTES", 20)
    topics.publish(range(300))
    more = {"KAFKA_BATCH_SIZE": "10"}
    ingest = make(make_ingest, topics, redis_server, **more, **FINISHED).start()
    eventually(lambda: (count := ingest.count("accepted")) > 100 and _still(ingest, count), "it stands still")
    assert ingest.count("accepted") < 8 * 20

    finish(ingest, set(range(140)))
    eventually(lambda: 140 + 100 < ingest.count("accepted") < 300, "it goes on")
    eventually(lambda: topics.read_commit()[0] == 140, "the commit")


def test_a_partition_without_room_stops_no_other(
    make_ingest: MakeIngest,
    real_kafka: KafkaBroker,
    redis_server: EmbeddedRedis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own target may be dead for hours; it goes on, in order, as soon as something of it is finished."""
    monkeypatch.setattr("ingest.kafka.offset_set.MAX_BYTES", 20)
    topics = Topics(real_kafka, partitions=3)
    topics.publish(range(300))
    topics.publish(range(300, 600), 1)
    more = {"KAFKA_BATCH_SIZE": "10"}
    ingest = make(make_ingest, topics, redis_server, **more, **FINISHED).start()
    eventually(lambda: (count := ingest.count("accepted")) > 200 and _still(ingest, count), "both stand still")
    positions = [ingest.partition(topics.runs, number)["next"] for number in (0, 1)]

    topics.publish(range(600, 650), 2)
    eventually(lambda: ingest.partition(topics.runs, 2).get("next") == 50, "the third is read")
    assert [ingest.partition(topics.runs, number)["next"] for number in (0, 1)] == positions
    finish(ingest, {*range(positions[0]), *range(300, 300 + positions[1])})
    for number, before in enumerate(positions):
        eventually(lambda: ingest.partition(topics.runs, number)["next"] > before, f"{number} goes on")  # noqa: B023
        counters = accounted(ingest, topics, number)
        assert counters["accepted"] == counters["next"]
    assert ingest.count("repeated") == 0


def _still(ingest: Ingest, count: int) -> bool:
    """Whether nothing is accepted for the next looks."""
    looks = iter(range(30))
    eventually(lambda: ingest.count("accepted") != count or next(looks, None) is None)
    return ingest.count("accepted") == count

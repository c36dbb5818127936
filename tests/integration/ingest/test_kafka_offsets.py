"""Where ingest begins and goes on when Kafka's offsets are not what it left: on a real broker, each case for itself."""

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from structlog.testing import capture_logs

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.integration.ingest.conftest import Ingest, MakeIngest
from tests.integration.ingest.topics import Topics, accounted, make
from tests.support.kafka_broker import KafkaBroker
from tests.support.programs import eventually

pytestmark = pytest.mark.real_kafka

LATEST = {"KAFKA_CONSUMER_AUTO_OFFSET_RESET": "largest"}


@pytest.fixture
def topics(real_kafka: KafkaBroker) -> Topics:
    return Topics(real_kafka)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


def settle(ingest: Ingest, topics: Topics, accepted: int, committed: int) -> None:
    """Wait until so much is accepted and committed, then stop."""
    ingest.eventually("accepted", accepted)
    eventually(lambda: topics.committed() == committed, "the commit")
    ingest.stop()


def only_line(lines: list[Any], event: str) -> dict[str, Any]:
    """The one line that says this of the runs topic."""
    matches = [line for line in lines if line["event"] == event and line["topic"].endswith(".runs")]
    assert len(matches) == 1, [line["event"] for line in lines if line["log_level"] != "debug"]
    return dict(matches[0])


def rolled_back(lines: list[Any]) -> list[Any]:
    """The lines that say that the ledger lost its end."""
    names = (events.LEDGER_ROLLED_BACK.name, events.LEDGER_BEHIND_COMMIT.name)
    return [line for line in lines if line["event"] in names]


def test_with_largest_nothing_between_two_starts_is_missed(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis
) -> None:
    """A new group ignores what was there, and nothing that comes after its first assignment, started or not."""
    topics.publish(range(5))
    first = make(make_ingest, topics, redis_server, **LATEST).start()
    eventually(lambda: topics.committed() == 5, "the commit of where it begins")
    first.stop()
    topics.publish(range(5, 8))
    second = make(make_ingest, topics, redis_server, **LATEST).start()

    second.eventually("accepted", 3)
    assert accounted(second, topics)["accepted"] == 3


def test_partitions_added_while_running_are_read_from_their_beginning(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis
) -> None:
    """Even with `largest`: what is published before they are noticed came after the group had begun."""
    ingest = make(make_ingest, topics, redis_server, **LATEST).start()
    eventually(lambda: topics.committed() == 0, "the commit of where it begins")
    topics.add_partitions(3)
    topics.publish(range(5), partition=1)
    topics.publish(range(5, 10), partition=2)

    ingest.eventually("accepted", 10)


def test_partitions_added_meanwhile_are_read_from_their_beginning(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, lines: list[Any]
) -> None:
    """Added and filled while nobody was there."""
    ingest = make(make_ingest, topics, redis_server, **LATEST).start()
    topics.publish(range(1))
    eventually(lambda: topics.committed() >= 0, "a commit")
    ingest.stop()
    topics.add_partitions(2)
    topics.publish(range(10, 15), partition=1)
    make(make_ingest, topics, redis_server, **LATEST).start()

    eventually(lambda: ingest.partition(topics.runs, 1).get("accepted") == 5, "all of the new partition")
    assert only_line(lines, events.KAFKA_PARTITION_ADDED.name)["partition"] == 1


@pytest.mark.parametrize("reset", ["earliest", "largest"])
def test_a_topic_recreated_while_running_is_read_from_its_beginning(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, lines: list[Any], reset: str
) -> None:
    """Its offsets go back below the ledger's: neither repeats nor a rewind, but counted, and said once."""
    more = {"KAFKA_CONSUMER_AUTO_OFFSET_RESET": reset}
    ingest = make(make_ingest, topics, redis_server, **more).start()
    eventually(lambda: topics.committed() == 0, "the commit of where it begins")
    topics.publish(range(10))
    ingest.eventually("accepted", 10)
    topics.recreate()
    topics.publish(range(100, 103))

    ingest.eventually("accepted", 13)
    assert only_line(lines, events.KAFKA_PARTITION_RECREATED.name)["ledger_next"] == 10
    assert (ingest.count("partitions_made_anew"), ingest.count("repeated")) == (1, 0)
    assert accounted(ingest, topics)["next"] == 3
    assert not rolled_back(lines)


@pytest.mark.parametrize("published", [3, 30])
def test_a_topic_recreated_meanwhile_is_read_from_its_beginning(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, published: int
) -> None:
    """However far the new one has got: the ledger's offset is of the old one."""
    ingest = make(make_ingest, topics, redis_server, **LATEST).start()
    eventually(lambda: topics.committed() == 0, "the commit of where it begins")
    topics.publish(range(10))
    settle(ingest, topics, accepted=10, committed=10)
    topics.recreate()
    topics.publish(range(100, 100 + published))
    make(make_ingest, topics, redis_server, **LATEST).start()

    ingest.eventually("accepted", 10 + published)


@pytest.mark.parametrize(("before", "after", "published"), [(1800, 0, 3), (0, -172_800, 30)], ids=["future", "past"])
def test_a_recreated_topic_is_read_from_its_beginning_whatever_publishers_take_for_the_time(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, published: int, before: int, after: int
) -> None:
    """One whose clock was half an hour ahead, or a copy of a topic with the times of the original."""
    ingest = make(make_ingest, topics, redis_server, **LATEST).start()
    eventually(lambda: topics.committed() == 0, "the commit of where it begins")
    topics.publish(range(10), ahead_s=before)
    settle(ingest, topics, accepted=10, committed=10)
    topics.recreate()
    topics.publish(range(100, 100 + published), ahead_s=after)
    make(make_ingest, topics, redis_server, **LATEST).start()

    ingest.eventually("accepted", 10 + published)


def test_without_its_commits_the_group_goes_on_where_the_ledger_stands(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, lines: list[Any]
) -> None:
    """They expired: `largest` would leave out what came meanwhile."""
    topics.publish(range(5))
    ingest = make(make_ingest, topics, redis_server, KAFKA_CONSUMER_AUTO_OFFSET_RESET="earliest").start()
    settle(ingest, topics, accepted=5, committed=5)
    topics.forget_group()
    topics.publish(range(5, 9))
    make(make_ingest, topics, redis_server, **LATEST).start()

    ingest.eventually("accepted", 9)
    line = only_line(lines, events.KAFKA_COMMIT_EXPIRED.name)
    assert (line["log_level"], line["ledger_next"], line["reset_rule"]) == ("info", 5, "largest: the end")


@pytest.mark.parametrize(("reset", "accepted", "passed"), [("earliest", 5 + 3, 0), ("largest", 5, 3)])
def test_records_that_expired_unread_are_counted_and_the_reset_rule_goes_on(
    make_ingest: MakeIngest,
    topics: Topics,
    redis_server: EmbeddedRedis,
    lines: list[Any],
    reset: str,
    accepted: int,
    passed: int,
) -> None:
    """Kafka deleted them before they were read: said loudly, with the rule, and no offset is missing in the sum."""
    topics.publish(range(5))
    ingest = make(make_ingest, topics, redis_server).start()
    settle(ingest, topics, accepted=5, committed=5)
    topics.publish(range(5, 12))
    topics.expire(9)
    second = make(make_ingest, topics, redis_server, KAFKA_CONSUMER_AUTO_OFFSET_RESET=reset).start()
    eventually(lambda: second.partition(topics.runs, 0).get("next") == 12, "all read")
    topics.publish(range(20, 21))
    ingest.eventually("accepted", accepted + 1)

    line = only_line(lines, events.KAFKA_POSITION_RESET.name)
    assert (line["log_level"], line["kafka_has"], line["reset_rule"].split(":")[0]) == ("error", "9 to 12", reset)
    counters = accounted(ingest, topics)
    assert (counters["skipped:expired"], counters.get("skipped:passed_by_reset", 0)) == (4, passed)


def test_records_that_expire_under_a_running_ingest_stop_nothing(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, lines: list[Any]
) -> None:
    """It was paused because Redis was away, for longer than Kafka keeps records."""
    topics.publish(range(5))
    ingest = make(make_ingest, topics, redis_server).start()
    ingest.eventually("accepted", 5)
    redis_server.kill()
    # More than what is fetched ahead: that was given to us in time and is stored.
    topics.publish(range(5, 6))
    eventually(lambda: events.REDIS_OUTAGE_STARTED.name in [line["event"] for line in lines], "the outage")
    topics.publish(range(6, 12))
    topics.expire(9)
    redis_server.start()

    eventually(lambda: ingest.partition(topics.runs, 0).get("next") == 12, "all read")
    topics.publish(range(12, 13))
    eventually(lambda: ingest.partition(topics.runs, 0).get("next") == 13, "it goes on")
    accounted(ingest, topics)


@pytest.mark.parametrize(("offset", "accepted", "repeated", "skipped"), [(8, 7, 0, 3), (2, 10, 3, 0)])
def test_an_operators_reset_is_obeyed(
    make_ingest: MakeIngest,
    topics: Topics,
    redis_server: EmbeddedRedis,
    lines: list[Any],
    offset: int,
    accepted: int,
    repeated: int,
    skipped: int,
) -> None:
    """Ahead: what it passes over is not taken for a loss of the ledger. Back: what is known is recognised."""
    topics.publish(range(5))
    ingest = make(make_ingest, topics, redis_server).start()
    settle(ingest, topics, accepted=5, committed=5)
    topics.publish(range(5, 10))
    topics.reset_group(offset)
    make(make_ingest, topics, redis_server).start()

    ingest.eventually("accepted", accepted)
    eventually(lambda: ingest.partition(topics.runs, 0).get("next") == 10, "all read")
    counters = accounted(ingest, topics)
    assert (counters.get("repeated", 0), counters.get("skipped:committed_by_others", 0)) == (repeated, skipped)
    assert not rolled_back(lines)


def test_another_members_commits_are_not_taken_for_a_rollback(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, lines: list[Any]
) -> None:
    """The original agent in the same group during a migration: it read on while we were away."""
    topics.publish(range(5))
    ingest = make(make_ingest, topics, redis_server).start()
    settle(ingest, topics, accepted=5, committed=5)
    topics.publish(range(5, 10))
    original = Consumer({"bootstrap.servers": topics.broker.bootstrap, "group.id": topics.group})
    original.commit(offsets=[TopicPartition(topics.runs, 0, 8)], asynchronous=False)
    original.close()
    make(make_ingest, topics, redis_server).start()

    ingest.eventually("accepted", 7)
    assert not rolled_back(lines)


def test_the_reset_rule_error_waits_for_a_person(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, lines: list[Any]
) -> None:
    """As librdkafka would, but said once, and an offset that somebody sets is found."""
    topics.publish(range(5))
    ingest = make(make_ingest, topics, redis_server, KAFKA_CONSUMER_AUTO_OFFSET_RESET="error").start()
    eventually(lambda: events.KAFKA_PARTITION_SKIPPED.name in [line["event"] for line in lines], "the line")
    ingest.stop()
    assert ingest.exit_code == 0
    topics.reset_group(3)
    make(make_ingest, topics, redis_server, KAFKA_CONSUMER_AUTO_OFFSET_RESET="error").start()

    ingest.eventually("accepted", 2)

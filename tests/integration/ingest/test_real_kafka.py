"""Ingest on a real broker: what the mock broker cannot answer. Commits, takeovers, a broker that goes away."""

import pytest
from confluent_kafka import Consumer, Producer
from structlog.testing import capture_logs

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.integration.ingest.conftest import MakeIngest, run
from tests.integration.ingest.topics import Topics, make
from tests.support.kafka_broker import KafkaBroker
from tests.support.programs import eventually

pytestmark = pytest.mark.real_kafka


@pytest.fixture
def topics(real_kafka: KafkaBroker) -> Topics:
    """Topics with one partition."""
    return Topics(real_kafka, 1)


def test_commits_follow_the_ledger(make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis) -> None:
    """After the delay, without another message having to come."""
    topics.publish(range(10))
    ingest = make(make_ingest, topics, redis_server, COMMIT_DELAY_S="0.2").start()
    ingest.eventually("accepted", 10)

    eventually(lambda: topics.committed() == 10, "the commit")


def test_nothing_is_committed_early_at_the_end(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis
) -> None:
    """Redis may still lose its last second; the next ingest reads it again and knows what it has."""
    topics.publish(range(10))
    ingest = make(make_ingest, topics, redis_server, COMMIT_DELAY_S="3600").start()
    ingest.eventually("accepted", 10)
    ingest.stop()
    assert topics.committed() <= 0

    topics.publish(range(10, 11))
    make(make_ingest, topics, redis_server).start()
    ingest.eventually("accepted", 11)
    assert ingest.count("repeated") == 10


def test_a_spare_stands_by_and_takes_over(make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis) -> None:
    """One partition, two ingests: the second has nothing to do, lives on, and goes on where the first ends."""
    first = make(make_ingest, topics, redis_server).start()
    topics.publish(range(10))
    first.eventually("accepted", 10)
    with capture_logs() as lines:
        second = make(make_ingest, topics, redis_server).start()
        eventually(lambda: any("none" in str(line.get("partitions")) for line in lines), "an empty assignment")
    first.stop()
    topics.publish(range(10, 20))

    second.eventually("accepted", 20)
    assert second.exit_code is None


def test_a_broker_that_was_away_is_read_on(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis
) -> None:
    """Stopped and started again: said once, and nobody restarted ingest."""
    ingest = make(make_ingest, topics, redis_server).start()
    topics.publish(range(10))
    ingest.eventually("accepted", 10)
    with capture_logs() as lines:
        topics.broker.stop()
        eventually(
            lambda: events.KAFKA_OUTAGE_STARTED.name in [line["event"] for line in lines], "the outage in the log"
        )
        topics.broker.start()
        eventually(lambda: events.KAFKA_OUTAGE_ENDED.name in [line["event"] for line in lines], "its end in the log")
        topics.publish(range(10, 20))
        ingest.eventually("accepted", 20)

    assert [line["event"] for line in lines].count(events.KAFKA_OUTAGE_STARTED.name) == 1


def test_transaction_markers_are_counted_as_gaps(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis
) -> None:
    """Offsets that no consumer ever sees: every one of the partition is accounted for all the same."""
    producer = Producer({"bootstrap.servers": topics.broker.bootstrap, "transactional.id": topics.group})
    producer.init_transactions(30)
    for number in range(5):
        producer.begin_transaction()
        producer.produce(topics.runs, run(number), partition=0)
        producer.commit_transaction(30)
    ingest = make(make_ingest, topics, redis_server).start()
    ingest.eventually("accepted", 5)

    counters = ingest.partition(topics.runs, 0)
    assert counters["next"] == 9
    assert (counters["read"], counters["accepted"], counters["gaps"]) == (9, 5, 4)


def test_it_shares_a_group_with_the_original(
    make_ingest: MakeIngest, real_kafka: KafkaBroker, redis_server: EmbeddedRedis
) -> None:
    """A plain librdkafka client, as the original is: both get a part, and one can replace the other."""
    # Of a topic with one partition one of them would get nothing, whichever has the smaller member id.
    topics = Topics(real_kafka, partitions=2)
    ingest = make(make_ingest, topics, redis_server).start()
    original = Consumer({"bootstrap.servers": topics.broker.bootstrap, "group.id": topics.group})
    original.subscribe([topics.runs, topics.change_log])
    try:
        original.poll(0)
        eventually(lambda: original.poll(0.1) is None and original.assignment(), "an assignment for the other member")
    finally:
        original.close()

    topics.publish(range(10))
    ingest.eventually("accepted", 10)

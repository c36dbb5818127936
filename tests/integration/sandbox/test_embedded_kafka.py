"""The embedded Kafka serves other clients over TCP, with the partitions asked for, and can be away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from longshore.sandbox.embedded_kafka import EmbeddedKafka, EmbeddedKafkaFailed

WAIT_S = 30


@pytest.fixture
def broker() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka({"one": 1, "three": 3}) as started:
        yield started


def consumer(broker: EmbeddedKafka) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "readers",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            # A successor waits this long less a second.
            "session.timeout.ms": 2000,
            "heartbeat.interval.ms": 500,
            "log_level": 0,
        }
    )


def test_topics_have_the_partitions_asked_for(broker: EmbeddedKafka) -> None:
    """Two ingests need at least two partitions to share."""
    reader = consumer(broker)
    topics = reader.list_topics(timeout=WAIT_S).topics
    reader.close()

    assert {"one": 1, "three": 3} == {name: len(topic.partitions) for name, topic in topics.items()}


def test_what_was_published_is_read_in_order_and_tombstones_too(broker: EmbeddedKafka) -> None:
    """A partition keeps its order; an empty value and no value differ."""
    for value in (b"first", None, b""):
        broker.publish("one", value, key=b"same")
    reader = consumer(broker)
    reader.subscribe(["one"])
    messages = reader.consume(3, timeout=WAIT_S)
    reader.close()

    assert [b"first", None, b""] == [message.value() for message in messages]
    assert [0, 1, 2] == [message.offset() for message in messages]


def test_commits_outlive_a_member_of_the_group(broker: EmbeddedKafka) -> None:
    """The next consumer of the group goes on where the last one committed."""
    broker.publish("one", b"first")
    broker.publish("one", b"second")
    reader = consumer(broker)
    reader.subscribe(["one"])
    assert reader.consume(2, timeout=WAIT_S)
    reader.commit(offsets=[TopicPartition("one", 0, 1)], asynchronous=False)
    reader.close()
    successor = consumer(broker)
    successor.subscribe(["one"])
    message = successor.poll(WAIT_S)
    successor.close()

    assert message is not None
    assert b"second" == message.value()


def test_an_outage_refuses_and_keeps_what_was_there(broker: EmbeddedKafka) -> None:
    """While down nothing is taken; afterwards the messages from before are still there, and only those."""
    broker.publish("one", b"before")
    broker.down()
    with pytest.raises(EmbeddedKafkaFailed):
        broker.publish("one", b"during", timeout_s=0.5)
    broker.up()
    broker.publish("one", b"after")
    reader = consumer(broker)
    reader.subscribe(["one"])
    messages = reader.consume(2, timeout=WAIT_S)
    reader.close()

    assert [b"before", b"after"] == [message.value() for message in messages]


def test_publishing_tells_the_place(broker: EmbeddedKafka) -> None:
    """Whoever published can find the message again in the ledger, by its origin."""
    broker.publish("three", b"first", partition=2)

    assert "three/2/1" == str(broker.publish("three", b"second", partition=2))


def test_stop_may_be_called_twice(broker: EmbeddedKafka) -> None:
    """A shutdown path that runs again after an error does no harm."""
    broker.stop()
    broker.stop()

"""The real broker of the tests comes up, keeps its data across a crash and ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from tests.support.kafka_broker import KafkaBroker

pytestmark = pytest.mark.real_kafka


@pytest.fixture
def own_broker(real_kafka: KafkaBroker, tmp_path: Path) -> Iterator[KafkaBroker]:
    """One to be killed; asking for the shared one first skips or fails alike where there is no Java."""
    broker = KafkaBroker(tmp_path / "own")
    try:
        yield broker.start()
    finally:
        broker.kill()


def write(broker: KafkaBroker, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    producer.produce(topic, value)
    assert 0 == producer.flush(30)


def read(broker: KafkaBroker, topic: str) -> bytes | None:
    reader = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": f"reads-{topic}",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    reader.subscribe([topic])
    message = reader.poll(30)
    reader.close()
    return None if message is None else message.value()


def test_a_message_goes_through_a_topic_with_several_partitions(real_kafka: KafkaBroker) -> None:
    """Topics are usable as soon as they were made."""
    real_kafka.create_topic("several", 4)
    write(real_kafka, "several", b"hello")

    assert b"hello" == read(real_kafka, "several")


def test_a_crash_keeps_address_and_messages(own_broker: KafkaBroker) -> None:
    """SIGKILL and a new start: the same bootstrap address serves the same messages."""
    own_broker.create_topic("kept")
    write(own_broker, "kept", b"hello")
    own_broker.kill()
    own_broker.start()

    assert b"hello" == read(own_broker, "kept")

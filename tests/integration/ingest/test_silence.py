"""A consumer to which nothing comes is replaced; one for which there is nothing is not."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition

from ingest.kafka.consumer import KafkaReader
from ingest.kafka.record import Partition
from ingest.outage import Outage
from longshore.log import events
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from tests.support.programs import eventually

TOPIC = "org.runs"
SILENT_S = 1.0


@pytest.fixture
def reader(kafka: EmbeddedKafka) -> Iterator[KafkaReader]:
    """One that has all partitions of the topic, with a message in the first, and reads them."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(TOPIC, b"{}", partition=0)
    assert producer.flush(10) == 0

    def options(on_error: Callable[[Any], None], on_commit: Callable[[Any, Any], None]) -> dict[str, Any]:
        return {"bootstrap.servers": kafka.bootstrap, "group.id": "org.agent", "error_cb": on_error, "log_level": 0}

    assignment_ids: dict[Partition, int] = {}
    ignore: Callable[..., None] = lambda *_: None  # noqa: E731
    outage = Outage(events.KAFKA_OUTAGE, threading.Event())
    reader = KafkaReader(
        options, [TOPIC], assignment_ids, on_lost=ignore, on_committed=ignore, outage=outage, silent_s=SILENT_S
    )
    eventually(lambda: reader.read(1, 0.1) or reader.unpositioned, "it has partitions")
    yield reader
    reader.close()


def listen(reader: KafkaReader, seconds: float) -> int:
    """Reads for so long, as ingest does; returns how many messages came."""
    until, came = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        came += len(reader.read(10, 0.05))
        reader.detect_stall()
    return came


def test_partitions_without_new_messages_are_not_silent(reader: KafkaReader) -> None:
    """Their ends are heard of, after a pause as well."""
    reader.start_at(dict.fromkeys(reader.unpositioned, 0))
    assert 1 == listen(reader, 3 * SILENT_S)
    reader.pause(True)
    listen(reader, 2 * SILENT_S)
    reader.pause(False)
    listen(reader, 2 * SILENT_S)

    assert not reader.is_broken


def test_a_consumer_that_fetches_nothing_is_broken(reader: KafkaReader) -> None:
    """It was told where to read, and nothing comes of it: no message, and no end."""
    partitions = list(reader.unpositioned)
    reader.start_at(dict.fromkeys(partitions, 0))
    # What happens inside librdkafka cannot be brought about at will; a pause that the reader does not know of can.
    reader._consumer.pause([TopicPartition(*partition) for partition in partitions])

    eventually(lambda: listen(reader, 0.2) or reader.is_broken, "it is found out")
    assert reader.is_broken

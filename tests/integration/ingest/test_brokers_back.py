"""Kafka that was away and is back is noticed, though not a message comes."""

import threading
from typing import Any

from ingest.kafka.consumer import KafkaReader
from ingest.outage import Outage
from longshore.log import events
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from tests.support.programs import eventually


def test_a_look_for_brokers_waits_for_the_fetch_before_it(kafka: EmbeddedKafka) -> None:
    """A broker answers in order, and an idle topic's fetch takes half a second: every look would come too early."""

    def options(on_error: Any, on_commit: Any) -> dict[str, Any]:
        return {"bootstrap.servers": kafka.bootstrap, "group.id": "g", "error_cb": on_error, "on_commit": on_commit}

    outage = Outage(events.KAFKA_OUTAGE, threading.Event())
    reader = KafkaReader(options, ["org.runs"], {}, on_lost=lambda _: None, on_committed=lambda *_: None, outage=outage)
    try:
        eventually(lambda: reader.read(1, 0.1) == [] and reader.has_joined, "joined")
        reader.start_at(dict.fromkeys(reader.unpositioned, 0))
        looks = 0
        for _ in range(10):
            reader.read(1, 0.1)
            outage.begin("made up")
            reader.probe_brokers()
            looks += not outage.is_on
        assert looks > 5
    finally:
        reader.close()

"""A Kafka message as plain values, so that everything behind the consumer can be used without Kafka."""

from typing import NamedTuple

from opentelemetry.trace import SpanContext

Partition = tuple[str, int]
"""Topic and partition number."""


class KafkaRecord(NamedTuple):
    """One message as read. A `Record` of `ingest.source`."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """Of the message, as the broker tells it; -1 if it has none."""
    value: bytes | None
    assignment_id: int = 0
    """Under which assignment (or seek) of the partition it was read; see `consumer.KafkaReader`."""
    trace: SpanContext | None = None
    """Which trace its headers say it belongs to."""

    @property
    def topic_partition(self) -> Partition:
        """The partition it came from."""
        return self.topic, self.partition

    @property
    def stream(self) -> str:
        """Its topic."""
        return self.topic

    @property
    def origin(self) -> str:
        """Where it stands in Kafka: `topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def run(self) -> None:
        """None: which run a message is, only the message says."""
        return None

    @property
    def key(self) -> str:
        """The same, with the timestamp: it tells apart what stood there before and after a topic was recreated."""
        return f"{self.topic}.{self.partition}.{self.offset}.{self.timestamp_ms}"

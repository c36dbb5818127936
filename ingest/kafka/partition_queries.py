"""What can be asked of Kafka about partitions: their offsets, their commits, their number."""

from collections.abc import Collection, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ingest.kafka.commit_metadata import CommitMetadata, parse
from ingest.kafka.record import Partition

EARLIEST = -2
LATEST = -1
"""Times for `find_offsets` (Kafka protocol, ListOffsets)."""


class PartitionQueries:
    """Questions through `consumer`, each of which takes up to `timeout_s` and raises `KafkaException`."""

    def __init__(self, consumer: Consumer, timeout_s: float) -> None:
        self._consumer = consumer
        self._timeout_s = timeout_s

    def find_offsets(self, times_ms: Mapping[Partition, int]) -> dict[Partition, int]:
        """The first offset at or after a time (ms); a partition without a record so young is missing."""
        if not times_ms:
            return {}
        questions = [TopicPartition(*partition, time_ms) for partition, time_ms in times_ms.items()]
        answers = self._consumer.offsets_for_times(questions, timeout=self._timeout_s)
        return {(each.topic, each.partition): each.offset for each in _checked(answers) if each.offset >= 0}

    def read_commits(self, partitions: Collection[Partition]) -> dict[Partition, tuple[int, CommitMetadata | None]]:
        """What the group has committed, and the metadata if it is ours; a partition without a commit is missing."""
        questions = [TopicPartition(*partition) for partition in partitions]
        return {
            (each.topic, each.partition): (each.offset, parse(each.metadata, each.offset))
            for each in _checked(self._consumer.committed(questions, timeout=self._timeout_s))
            if each.offset >= 0
        }

    def count_partitions(self, topic: str) -> int:
        """How many partitions `topic` has."""
        metadata = self._consumer.list_topics(topic, timeout=self._timeout_s).topics[topic]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        return len(metadata.partitions)


def _checked(answers: list[TopicPartition]) -> list[TopicPartition]:
    for each in answers:
        if each.error is not None:
            raise KafkaException(each.error)
    return answers

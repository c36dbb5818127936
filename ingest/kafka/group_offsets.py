"""What a consumer group has committed, read and set from outside the group.

Kafka takes a commit of somebody who is no member only while the group has none. So this never overrules an ingest, nor
the original agent, that reads on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from ingest.kafka.consumer_errors import KafkaRefused
from ingest.kafka.consumer_options import open_consumer
from ingest.kafka.partition_queries import PartitionQueries
from ingest.kafka.record import Partition

QUERY_S = 15.0
_GROUP_IN_USE = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.GROUP_ID_NOT_FOUND,
    }
)


class GroupOffsets:
    """The commits of one group on all partitions of `topics`. Each call raises `KafkaRefused`."""

    def __init__(self, options: dict[str, Any], topics: Sequence[str]) -> None:
        """`options` are those of ingest for its own consumer, the group's name among them."""
        self._consumer = open_consumer(options)
        self._queries = PartitionQueries(self._consumer, QUERY_S)
        self._topics = topics

    def read(self) -> dict[Partition, int | None]:
        """Of each partition the committed offset; None where the group has committed none."""
        try:
            partitions = [
                (topic, number) for topic in self._topics for number in range(self._queries.count_partitions(topic))
            ]
            commits = self._queries.read_commits(partitions)
        except KafkaException as error:
            raise KafkaRefused(error.args[0].str()) from error
        return {partition: commits[partition][0] if partition in commits else None for partition in partitions}

    def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Commit for the group. False: it has members, and nothing has changed."""
        commits = [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
        try:
            answers = self._consumer.commit(offsets=commits, asynchronous=False) or []
        except KafkaException as error:
            return self._refused(error.args[0])
        return all(each.error is None or self._refused(each.error) for each in answers)

    def close(self) -> None:
        """Let go of Kafka."""
        self._consumer.close()

    def _refused(self, error: KafkaError) -> bool:
        if error.code() in _GROUP_IN_USE:
            return False
        raise KafkaRefused(error.str())

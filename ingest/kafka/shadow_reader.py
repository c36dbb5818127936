"""Reads the agent's topics beside it, as a member of another group: what the agent reads and commits stays as it is."""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ingest.kafka.consumer_errors import KafkaRefused
from ingest.kafka.consumer_options import open_consumer
from ingest.kafka.message import to_record
from ingest.kafka.partition_queries import PartitionQueries
from ingest.kafka.record import KafkaRecord, Partition
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

QUERY_S = 15.0
_LASTING = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
    }
)
"""What waiting does not mend; all else librdkafka tries again by itself."""


class ShadowReader:
    """A consumer of a group of its own, which alone it commits to. For one thread.

    If the process dies, what was read since the last commit is read again.
    """

    def __init__(self, options: dict[str, Any], topics: Sequence[str], group: str, since_ms: int | None) -> None:
        """`options` are those of ingest. `since_ms`: where to begin in partitions that the group has no commit of."""
        required = {"group.id": group, "enable.auto.commit": False, "enable.partition.eof": True}
        self._consumer = open_consumer(options | required)
        self._since_ms = since_ms
        self._assigned: set[Partition] = set()
        self._at_end: set[Partition] = set()
        self._consumer.subscribe(list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke)

    @property
    def has_reached_end(self) -> bool:
        """Whether there is nothing more to read at the moment."""
        return bool(self._assigned) and self._assigned <= self._at_end

    def read(self, count: int, timeout_s: float) -> list[KafkaRecord]:
        """Up to `count` records, as soon as there are any. Raises `KafkaRefused`."""
        records = []
        for message in self._consumer.consume(count, timeout_s):
            error, topic, partition = message.error(), message.topic(), message.partition()
            if error is None:
                if (record := to_record(message)) is not None:
                    self._at_end.discard(record.topic_partition)
                    records.append(record)
            elif error.code() == KafkaError._PARTITION_EOF and topic is not None and partition is not None:
                self._at_end.add((topic, partition))
            elif error.code() in _LASTING or error.fatal():
                raise KafkaRefused(error.str())
            else:
                log.event(events.KAFKA_ERROR_IGNORED, problem=error.str())
        return records

    def commit(self, records: Sequence[KafkaRecord]) -> None:
        """Have the group go on behind these records. Raises `KafkaRefused`."""
        offsets = {record.topic_partition: record.offset + 1 for record in records}
        offsets = {partition: offset for partition, offset in offsets.items() if partition in self._assigned}
        if not offsets:
            return
        try:
            self._consumer.commit(
                offsets=[TopicPartition(*partition, offset) for partition, offset in offsets.items()],
                asynchronous=False,
            )
        except KafkaException as error:
            # What is not committed is read again, and recognised by what the file has.
            log.event(events.KAFKA_ERROR_IGNORED, problem=error.args[0].str())

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        names = [(each.topic, each.partition) for each in partitions]
        self._assigned.update(names)
        self._at_end.difference_update(names)
        if self._since_ms is None:
            return
        try:
            queries = PartitionQueries(consumer, QUERY_S)
            missing = set(names) - queries.read_commits(names).keys()
            starts = queries.find_offsets(dict.fromkeys(missing, self._since_ms))
        except KafkaException as error:
            raise KafkaRefused(error.args[0].str()) from error
        for each in partitions:
            each.offset = starts.get((each.topic, each.partition), each.offset)
        consumer.assign(partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._assigned.difference_update((each.topic, each.partition) for each in partitions)

"""The Kafka consumer: its assignment, its position in each partition and its commits. For one thread only.

Every assignment of a partition, and every seek in it, gets an *assignment id* of its own. What was read carries that
id, so whoever handles it later can tell that the partition has meanwhile gone to another consumer or is being read
again, and drop it: it is not committed, so it comes again.

Nothing is read of a partition before it is known from where: it is *unpositioned* after its assignment, and again when
Kafka no longer has the offset that comes next. librdkafka's own reset rule would go on from elsewhere without a word.
"""

from collections.abc import Callable, Collection, Mapping
from itertools import count
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ingest.kafka.consumer_errors import ConsumerErrors
from ingest.kafka.consumer_options import open_consumer
from ingest.kafka.fetch_pauses import FetchPauses
from ingest.kafka.lag_meter import LagMeter
from ingest.kafka.message import to_record
from ingest.kafka.offsets import Commit
from ingest.kafka.partition_queries import PartitionQueries
from ingest.kafka.record import KafkaRecord, Partition
from ingest.kafka.stall_detector import FetchStallDetector
from ingest.outage import Outage
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

_ASSIGNMENT_IDS = count(1)
"""Numbers that are never used again in this process, whatever consumer they are for."""

QUERY_S = 1.0
"""How long one question to Kafka may hold up the thread; it is asked again later."""

SILENT_S = 60.0
"""How long nothing at all may come of a partition that is read, not even its end, while its broker answers."""


class KafkaReader:
    """Reads the topics as a member of the group.

    `assignment_ids` holds the present assignment of each assigned partition; other threads may read it.
    """

    def __init__(
        self,
        make_options: Callable[[Callable[[Any], None], Callable[[Any, Any], None]], dict[str, Any]],
        topics: list[str],
        assignment_ids: dict[Partition, int],
        *,
        on_lost: Callable[[Collection[Partition]], None],
        on_committed: Callable[[Partition, Commit], None],
        outage: Outage,
        silent_s: float = SILENT_S,
    ) -> None:
        """`make_options` gives librdkafka's options around two callbacks of ours, for errors and for ended commits.

        `on_lost` is called with partitions that are no longer read on from where they were, `on_committed` with each
        commit that Kafka has confirmed.
        """
        self.assignment_ids = assignment_ids
        self.unpositioned: dict[Partition, int] = {}
        """Assigned partitions that wait for `start_at`, with their assignment ids."""
        self.has_joined = False
        """Whether the group has said which partitions are ours, be it none."""
        self.errors = ConsumerErrors(outage)
        self._on_lost = on_lost
        self._on_committed = on_committed
        self._outage = outage
        self._silent_s = silent_s
        self._has_stalled = False
        self._next: dict[Partition, int] = {}
        """The next offset of each partition that is read; those that are not positioned are missing."""
        # `start_position` applies the reset rule of the settings; here an offset that is gone must show as an error.
        options = make_options(self.errors.on_error, self._on_commit)
        options |= {"auto.offset.reset": "error", "enable.partition.eof": True}
        self._consumer = open_consumer(options)
        self._stall_detector = FetchStallDetector()
        self._pauses = FetchPauses(self._consumer, self._next)
        self._lag_meter = LagMeter(self._consumer)
        self.queries = PartitionQueries(self._consumer, QUERY_S)
        self._consumer.subscribe(topics, on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    @property
    def is_broken(self) -> bool:
        """A fatal error of librdkafka, or it fetches nothing: this consumer will never read again."""
        return self.errors.is_fatal or self._has_stalled

    @property
    def is_paused(self) -> bool:
        """Whether nothing is fetched."""
        return self._pauses.is_paused

    def read(self, max_records: int, timeout_s: float) -> list[KafkaRecord]:
        """What has arrived, as soon as anything has: up to `max_records`, none after `timeout_s`."""
        message = self._consumer.poll(timeout_s)
        if message is None:
            return []
        # Before `consume`, which may take the partition away: the record belongs to the assignment it was read under.
        records = [self._receive(message)]
        if max_records > 1:
            # `consume` would wait for a full batch; with a timeout of 0 it takes what lies ready.
            records += map(self._receive, self._consumer.consume(max_records - 1, 0))
        return [record for record in records if record is not None]

    def pause(self, is_paused: bool) -> None:
        """Stop or go on fetching; the membership in the group stays as long as `read` is called."""
        self._pauses.pause_all(is_paused)

    def hold(self, partitions: Collection[Partition]) -> None:
        """Stop fetching these partitions, whatever becomes of the others, and no more than these."""
        self._stall_detector.expect(self._pauses.set_on_hold(partitions))

    def start_at(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions from these next offsets on."""
        self._next |= {partition: offset for partition, offset in offsets.items() if partition in self.assignment_ids}
        for partition in offsets:
            self.unpositioned.pop(partition, None)
        # All of them, because there is no other way back for one that librdkafka has stopped to fetch.
        positions = [TopicPartition(*partition, offset) for partition, offset in self._next.items()]
        try:
            self._consumer.assign(positions)
        except KafkaException as error:
            # Only a consumer that is broken or being closed refuses this.
            log.event(events.KAFKA_ASSIGN_FAILED, problem=error.args[0].str())
        self._stall_detector.expect(self._next)
        self._pauses.apply_after_assign()

    def seek(self, partition: Partition, next_offset: int) -> int | None:
        """Read `partition` again from `next_offset`. Returns its new assignment id; None if that cannot be done now."""
        topic, number = partition
        try:
            self._consumer.seek(TopicPartition(topic, number, next_offset))
        except KafkaException as error:
            log.event(events.KAFKA_SEEK_FAILED, topic=topic, partition=number, problem=error.args[0].str())
            return None
        self.assignment_ids[partition] = assignment_id = next(_ASSIGNMENT_IDS)
        self._next[partition] = next_offset
        self._stall_detector.expect([partition])
        self._on_lost([partition])
        return assignment_id

    def commit(self, commits: Mapping[Partition, Commit]) -> None:
        """Begin to make these commits; `on_committed` is called for each that was made, during a later `read`."""
        offsets = [
            TopicPartition(*partition, commit.offset, metadata=commit.metadata) for partition, commit in commits.items()
        ]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self.errors.on_commit_failed(error.args[0])

    def measure_lags(self) -> dict[Partition, int]:
        """How many messages of each partition are still to be read, as far as is known."""
        return self._lag_meter.measure(self._next, self.is_paused)

    def set_credentials(self, username: str, password: str) -> None:
        """Use these from the next connection on."""
        self.errors.is_login_refused = False
        self._consumer.set_sasl_credentials(username, password)

    def probe_brokers(self) -> None:
        """While Kafka is away: notice that it is back, though no message may come for long.

        A broker answers in order, and so only after the fetch before, which waits 0.5 s for messages.
        """
        if self._outage.is_on:
            try:
                self._consumer.list_topics(timeout=QUERY_S)
            except KafkaException:
                return
            self._outage.end()

    def detect_stall(self) -> None:
        """To be called every now and then: calls this consumer broken if it fetches nothing though Kafka answers."""
        for partition in self._pauses.on_hold:
            self._stall_detector.note(partition)
        is_fetching = not self.is_paused and not self._outage.is_on
        for (topic, number), silent_s in self._stall_detector.measure(is_fetching).items():
            if silent_s < self._silent_s:
                continue
            try:
                answer = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=QUERY_S)
            except KafkaException:
                answer = None
            if answer is None:
                return  # its broker is away: asked again with the next call
            log.event(
                events.KAFKA_FETCH_STALLED,
                topic=topic,
                partition=number,
                seconds=round(silent_s),
            )
            self._has_stalled = True
            return

    def close(self) -> None:
        """Leave the group. Commits nothing."""
        self._consumer.close()

    def _receive(self, message: Message) -> KafkaRecord | None:
        """The record of `message`; None where librdkafka reports something else in place of one."""
        error, topic, number = message.error(), message.topic(), message.partition()
        partition = None if topic is None or number is None else (topic, number)
        if partition is not None:
            self._stall_detector.note(partition)
        if error is None:
            return None if partition is None else self._advance(partition, message)
        if error.code() == KafkaError._AUTO_OFFSET_RESET and partition is not None:
            self._lose_position(partition, error)
        elif error.code() != KafkaError._PARTITION_EOF:
            self.errors.on_error(error)
        return None

    def _advance(self, partition: Partition, message: Message) -> KafkaRecord | None:
        record = to_record(message, self.assignment_ids.get(partition, 0))
        if record is not None and partition in self._next:
            self._next[partition] = record.offset + 1
        return record

    def _assign(self, consumer: Consumer, topic_partitions: list[TopicPartition]) -> None:
        """The group gives us these. Nothing is fetched of them before `start_at`."""
        for each in topic_partitions:
            partition = (each.topic, each.partition)
            self.assignment_ids[partition] = self.unpositioned[partition] = next(_ASSIGNMENT_IDS)
        consumer.assign([])
        self.has_joined = True
        self.errors.on_assigned()
        log.event(events.KAFKA_ASSIGNED, partitions=_names(topic_partitions) or "none: this process stands by")

    def _revoke(self, _: Consumer, topic_partitions: list[TopicPartition]) -> None:
        partitions = [(each.topic, each.partition) for each in topic_partitions]
        self.has_joined = False
        for partition in partitions:
            self.assignment_ids.pop(partition, None)
            self.unpositioned.pop(partition, None)
            self._next.pop(partition, None)
            self._stall_detector.note(partition)
        self._on_lost(partitions)
        log.event(events.KAFKA_REVOKED, partitions=_names(topic_partitions))

    def _lose_position(self, partition: Partition, error: KafkaError) -> None:
        """Kafka no longer has the offset that comes next: it has expired, or the topic was recreated."""
        if partition in self._next:
            next_offset = self._next.pop(partition)
            log.event(events.KAFKA_POSITION_LOST, topic=partition[0], partition=partition[1], next=next_offset)
            self.assignment_ids[partition] = self.unpositioned[partition] = next(_ASSIGNMENT_IDS)
            self._on_lost([partition])
        else:
            self.errors.ignore(error)

    def _on_commit(self, error: KafkaError | None, topic_partitions: list[TopicPartition]) -> None:
        for each in topic_partitions:
            problem = error or each.error
            if problem is not None:
                self.errors.on_commit_failed(problem)
            else:
                self._on_committed((each.topic, each.partition), Commit(each.offset, each.metadata or ""))


def _names(topic_partitions: list[TopicPartition]) -> str:
    return " ".join(f"{each.topic}/{each.partition}" for each in topic_partitions)

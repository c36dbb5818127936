"""The Kafka consumer: its assignment, its pauses and its commits. To be used from one thread only.

Every assignment of a partition, and every seek in it, is an *epoch* with a number of its own. What was read carries the
number, so whoever handles it later can tell that the partition has meanwhile gone to another consumer or is being read
again, and drop it: it is not committed, so it comes again.
"""

from collections.abc import Callable, Collection
from itertools import count
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ingest.outage import Outage
from ingest.record import Partition, Record

log = structlog.get_logger(__name__)

REFUSED_LOGIN = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})
AWAY = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE})
MINOR = frozenset({KafkaError._TRANSPORT, KafkaError._TIMED_OUT})
"""Lost or refused connections to single brokers; librdkafka connects again, and `AWAY` follows if none is left."""

PASSING = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError._WAIT_COORD,
        KafkaError._NO_OFFSET,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._DESTROY,
        KafkaError._STATE,
    }
)
"""Commits that fail so are repeated, or are no longer ours to make."""

_EPOCHS = count(1)
"""Numbers that are never used again in this process, whatever consumer they are for."""

ASK_S = 0.1
"""How long a look for brokers that were away may hold up the thread."""


class Reader:
    """Reads the topics as a member of the group.

    `epochs` holds the present epoch of each assigned partition; other threads may read it.
    """

    def __init__(
        self,
        make_options: Callable[[Callable[[Any], None], Callable[[Any, Any], None]], dict[str, Any]],
        topics: list[str],
        epochs: dict[Partition, int],
        *,
        left: Callable[[Collection[Partition]], None],
        committed: Callable[[Partition, int], None],
        outage: Outage,
    ) -> None:
        """`make_options` gives librdkafka's options around the two callbacks, for errors and for finished commits.

        `left` hears of partitions that are no longer read on from where they were, `committed` of confirmed commits.
        """
        self.epochs = epochs
        self.login_refused = False
        self.broken = False
        """A fatal error of librdkafka: this consumer will never read again."""
        self._left = left
        self._committed = committed
        self._outage = outage
        self._paused = False
        self._told: set[str] = set()
        self._topics = topics
        self._consumer = Consumer(make_options(self._on_error, self._on_commit))
        self._consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def read(self, most: int, timeout_s: float) -> list[Record]:
        """What has arrived, as soon as anything has: up to `most` messages, none after `timeout_s`."""
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        # `consume` would wait for a full batch; with no time at all it takes what lies ready.
        found = self._record(first)
        records = [] if found is None else [found]
        for message in self._consumer.consume(most - 1, 0) if most > 1 else ():
            found = self._record(message)
            if found is not None:
                records.append(found)
        return records

    def pause(self, wanted: bool) -> None:
        """Stop or go on fetching; the membership in the group stays as long as `read` is called."""
        if wanted != self._paused:
            self._paused = wanted
            self._apply_pause([TopicPartition(*place) for place in self.epochs])

    @property
    def paused(self) -> bool:
        """Whether it was told to pause."""
        return self._paused

    def seek(self, place: Partition, next_offset: int) -> int | None:
        """Read `place` again from `next_offset`. Returns its new epoch; None if that cannot be done now."""
        try:
            self._consumer.seek(TopicPartition(*place, next_offset))
        except KafkaException as error:
            log.debug("kafka.seek_failed", topic=place[0], partition=place[1], problem=error.args[0].str())
            return None
        self.epochs[place] = number = next(_EPOCHS)
        self._left([place])
        return number

    def commit(self, offsets: dict[Partition, int]) -> None:
        """Begin to commit these next offsets; how it ends reaches `committed` during a later `read`."""
        try:
            self._consumer.commit(
                offsets=[TopicPartition(*place, offset) for place, offset in offsets.items()], asynchronous=True
            )
        except KafkaException as error:
            self._commit_failed(error.args[0])

    def log_in_with(self, username: str, password: str) -> None:
        """Use these from the next connection on."""
        self.login_refused = False
        self._consumer.set_sasl_credentials(username, password)

    def look_for_brokers(self) -> None:
        """While Kafka is away: notice that it is back, though no message may come for long."""
        if self._outage.is_on:
            try:
                self._consumer.list_topics(timeout=ASK_S)
            except KafkaException:
                return
            self._outage.over()

    def close(self) -> None:
        """Leave the group. Commits nothing."""
        self._consumer.close()

    def _record(self, message: Message) -> Record | None:
        error = message.error()
        if error is not None:
            self._on_error(error)
            return None
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is None or partition is None or offset is None:
            return None  # never so without an error; the types of confluent_kafka do not know
        epoch = self.epochs.get((topic, partition), 0)
        return Record(topic, partition, offset, message.timestamp()[1], message.value(), epoch)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self.epochs[each.topic, each.partition] = next(_EPOCHS)
        consumer.assign(partitions)
        if self._paused:
            self._apply_pause(partitions)
        self._told.clear()
        self._outage.over()
        log.info("kafka.assigned", partitions=_names(partitions) or "none: this process stands by")

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        places = [(each.topic, each.partition) for each in partitions]
        for place in places:
            self.epochs.pop(place, None)
        self._left(places)
        log.info("kafka.revoked", partitions=_names(partitions))

    def _apply_pause(self, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        try:
            (self._consumer.pause if self._paused else self._consumer.resume)(partitions)
        except KafkaException as error:
            log.warning("kafka.pause_failed", problem=error.args[0].str())

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            problem = error or each.error
            if problem is not None:
                self._commit_failed(problem)
            else:
                self._committed((each.topic, each.partition), each.offset)

    def _commit_failed(self, error: KafkaError) -> None:
        said = log.debug if error.code() in PASSING else log.warning
        said("kafka.commit_failed", problem=error.str())

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self.broken = True
        if error.code() in REFUSED_LOGIN:
            self.login_refused = True
        if error.code() in AWAY:
            self._outage.begins(error.str())
        elif error.code() in MINOR:
            log.debug("kafka.trouble", code=error.name(), problem=error.str())
        elif (text := f"{error.name()} {error.str()}") not in self._told:
            # Repeated with every try of librdkafka; said once until the next assignment.
            self._told.add(text)
            log.warning("kafka.trouble", code=error.name(), problem=error.str())


def _names(partitions: list[TopicPartition]) -> str:
    return " ".join(f"{each.topic}/{each.partition}" for each in partitions)

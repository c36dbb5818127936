"""The Kafka consumer: its assignment, its pauses and its commits. To be used from one thread only.

Every assignment of a partition, and every seek in it, gets an *assignment id* of its own. What was read carries that
id, so whoever handles it later can tell that the partition has meanwhile gone to another consumer or is being read
again, and drop it: it is not committed, so it comes again.

Nothing is read of a partition before it is known from where: it is *unpositioned* after its assignment, and again when
Kafka no longer has the offset that comes next. librdkafka's own reset rule would go on from elsewhere without a word.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import count
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from opentelemetry.trace import SpanContext

from ingest.kafka.commit_metadata import CommitMetadata, parse
from ingest.kafka.consumer_options import open_consumer
from ingest.kafka.offsets import Commit
from ingest.kafka.record import KafkaRecord, Partition
from ingest.kafka.stall_detector import FetchStallDetector
from ingest.outage import Outage
from longshore.invocation import trace
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

AUTH_ERRORS = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})
BROKERS_DOWN = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE})
TRANSIENT = frozenset({KafkaError._TRANSPORT, KafkaError._TIMED_OUT})
"""Lost or refused connections to single brokers; librdkafka reconnects; `BROKERS_DOWN` follows if none is left."""

RETRIABLE_COMMIT = frozenset(
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

_ASSIGNMENT_IDS = count(1)
"""Numbers that are never used again in this process, whatever consumer they are for."""

LOOK_UP_S = 1.0
"""How long one question to Kafka may hold up the thread; it is asked again later."""

SILENT_S = 60.0
"""How long nothing at all may come of a partition after it was placed, not even its end, while its broker answers."""

ASK_S = 0.1
"""How long a question for the end of a partition may hold up the thread; only asked while nothing is fetched."""


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
        committed: Callable[[Partition, Commit], None],
        outage: Outage,
        silent_s: float = SILENT_S,
    ) -> None:
        """`make_options` gives librdkafka's options around the two callbacks, for errors and for finished commits.

        `on_lost` hears of partitions that are no longer read on from where they were, `committed` of confirmed commits.
        """
        self.assignment_ids = assignment_ids
        self.unpositioned: dict[Partition, int] = {}
        """Assigned partitions that wait for `start_at`, with their assignment ids."""
        self.login_refused = False
        self.joined = False
        """Whether the group has told which partitions are ours, be it none."""
        self.broken = False
        """A fatal error of librdkafka, or it fetches no more: this consumer will never read again."""
        self._stall_detector = FetchStallDetector()
        self._silent_s = silent_s
        self._on_lost = on_lost
        self._committed = committed
        self._outage = outage
        self._paused = False
        self._held: set[Partition] = set()
        self._told: set[str] = set()
        self._next: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._turn = 0
        # The setting's rule is applied in `start.py`; here an offset that is gone has to show.
        options = make_options(self._on_error, self._on_commit)
        options |= {"auto.offset.reset": "error", "enable.partition.eof": True}
        self._consumer = open_consumer(options)
        self._consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def read(self, most: int, timeout_s: float) -> list[KafkaRecord]:
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
            self._apply_pause(self._next)

    def hold(self, places: Collection[Partition]) -> None:
        """Stop fetching these partitions, whatever becomes of the others, and no more than these."""
        changed = self._held.symmetric_difference(places)
        if changed:
            self._held = set(places)
            self._stall_detector.expect(place for place in changed if place in self._next and place not in self._held)
            self._apply_pause(changed)

    @property
    def paused(self) -> bool:
        """Whether it was told to pause."""
        return self._paused

    def seek(self, place: Partition, next_offset: int) -> int | None:
        """Read `place` again from `next_offset`. Returns its new assignment; None if that cannot be done now."""
        try:
            self._consumer.seek(TopicPartition(*place, next_offset))
        except KafkaException as error:
            log.event(events.KAFKA_SEEK_FAILED, topic=place[0], partition=place[1], problem=error.args[0].str())
            return None
        self.assignment_ids[place] = number = next(_ASSIGNMENT_IDS)
        self._next[place] = next_offset
        self._stall_detector.expect([place])
        self._on_lost([place])
        return number

    def start_at(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions from these next offsets on."""
        self._next |= {place: offset for place, offset in offsets.items() if place in self.assignment_ids}
        for place in offsets:
            self.unpositioned.pop(place, None)
        # All of them, because there is no other way back for one that librdkafka has stopped to fetch.
        partitions = [TopicPartition(*place, offset) for place, offset in self._next.items()]
        try:
            self._consumer.assign(partitions)
        except KafkaException as error:
            # Only a consumer that is broken or being closed refuses this.
            log.event(events.KAFKA_ASSIGN_FAILED, problem=error.args[0].str())
        self._stall_detector.expect(self._next)
        self._apply_pause(self._next if self._paused else self._held)

    EARLIEST = -2
    LATEST = -1
    """Times for `offsets_at` (Kafka protocol, ListOffsets)."""

    def offsets_at(self, times_ms: Mapping[Partition, int]) -> dict[Partition, int]:
        """The first offset at or after a time (ms), where there is one. Raises `KafkaException`."""
        asked = [TopicPartition(*place, time_ms) for place, time_ms in times_ms.items()]
        found = self._consumer.offsets_for_times(asked, timeout=LOOK_UP_S) if asked else []
        return {(each.topic, each.partition): each.offset for each in _sound(found) if each.offset >= 0}

    def commits(self, places: Collection[Partition]) -> dict[Partition, tuple[int, CommitMetadata | None]]:
        """What the group has committed, and our mark with it. Raises `KafkaException`."""
        found = self._consumer.committed([TopicPartition(*place) for place in places], timeout=LOOK_UP_S)
        return {
            (each.topic, each.partition): (each.offset, parse(each.metadata, each.offset))
            for each in _sound(found)
            if each.offset >= 0
        }

    def count_partitions(self, topic: str) -> int:
        """How many partitions `topic` has. Raises `KafkaException`."""
        found = self._consumer.list_topics(topic, timeout=LOOK_UP_S).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return len(found.partitions)

    def lags(self) -> dict[Partition, int]:
        """How many messages of each partition are still to be read, as far as is known.

        librdkafka hears of new ends while it fetches; while it is paused, one partition a call is asked about at Kafka.
        """
        places = list(self._next)
        self._turn += 1
        for number, place in enumerate(places):
            ask = self._paused and number == self._turn % len(places)
            try:
                found = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=ASK_S, cached=not ask)
            except KafkaException:
                continue
            if found and found[1] >= 0:
                self._ends[place] = max(found[1], self._ends.get(place, 0)) if not ask else found[1]
        self._ends = {place: end for place, end in self._ends.items() if place in self._next}
        return {place: max(0, end - self._next[place]) for place, end in self._ends.items()}

    def commit(self, commits: Mapping[Partition, Commit]) -> None:
        """Begin to make these commits; how it ends reaches `committed` during a later `read`."""
        offsets = [TopicPartition(*place, commit.offset, metadata=commit.metadata) for place, commit in commits.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self._commit_failed(error.args[0])

    def set_credentials(self, username: str, password: str) -> None:
        """Use these from the next connection on."""
        self.login_refused = False
        self._consumer.set_sasl_credentials(username, password)

    def probe_brokers(self) -> None:
        """While Kafka is away: notice that it is back, though no message may come for long.

        A broker answers in order, and so only after the fetch before, which waits 0.5 s for messages.
        """
        if self._outage.is_on:
            try:
                self._consumer.list_topics(timeout=LOOK_UP_S)
            except KafkaException:
                return
            self._outage.over()

    def detect_stall(self) -> None:
        """To be called every now and then: calls this consumer broken if it fetches nothing though Kafka answers."""
        for place in self._held:
            self._stall_detector.heard(place)
        for place, silent_s in self._stall_detector.look(not self._paused and not self._outage.is_on).items():
            if silent_s < self._silent_s:
                continue
            try:
                answer = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=LOOK_UP_S)
            except KafkaException:
                answer = None
            if answer is None:
                return  # its broker is away: asked again with the next look
            log.event(
                events.KAFKA_FETCH_STALLED, topic=place[0], partition=place[1], seconds=round(silent_s),
                means="librdkafka fetches nothing, though Kafka answers", remedy="making a new consumer",
            )  # fmt: skip
            self.broken = True
            return

    def close(self) -> None:
        """Leave the group. Commits nothing."""
        self._consumer.close()

    def _record(self, message: Message) -> KafkaRecord | None:
        error = message.error()
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is not None and partition is not None:
            self._stall_detector.heard((topic, partition))
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                pass
            elif error.code() == KafkaError._AUTO_OFFSET_RESET and topic is not None and partition is not None:
                self._displaced((topic, partition), error)
            else:
                self._on_error(error)
            return None
        if topic is None or partition is None or offset is None:
            return None  # never so without an error; the types of confluent_kafka do not know
        assignment_id = self.assignment_ids.get((topic, partition), 0)
        if (topic, partition) in self._next:
            self._next[topic, partition] = offset + 1
        trace = trace_of(message)
        return KafkaRecord(topic, partition, offset, message.timestamp()[1], message.value(), assignment_id, trace)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            place = (each.topic, each.partition)
            self.assignment_ids[place] = self.unpositioned[place] = next(_ASSIGNMENT_IDS)
        consumer.assign([])
        self.joined = True
        self._told.clear()
        self._outage.over()
        log.event(events.KAFKA_ASSIGNED, partitions=_names(partitions) or "none: this process stands by")

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        places = [(each.topic, each.partition) for each in partitions]
        self.joined = False
        for place in places:
            self.assignment_ids.pop(place, None)
            self.unpositioned.pop(place, None)
            self._next.pop(place, None)
            self._stall_detector.heard(place)
        self._on_lost(places)
        log.event(events.KAFKA_REVOKED, partitions=_names(partitions))

    def _displaced(self, place: Partition, error: KafkaError) -> None:
        """Kafka has the offset no longer that comes next: expired, or the topic was made anew."""
        if place in self._next:
            log.event(events.KAFKA_POSITION_LOST, topic=place[0], partition=place[1], next=self._next.pop(place))
            self.assignment_ids[place] = self.unpositioned[place] = next(_ASSIGNMENT_IDS)
            self._on_lost([place])
        else:
            log.event(events.KAFKA_ERROR_IGNORED, code=error.name(), problem=error.str())

    def _apply_pause(self, places: Iterable[Partition]) -> None:
        stopped: dict[bool, list[TopicPartition]] = {True: [], False: []}
        for place in self._next.keys() & places:
            stopped[self._paused or place in self._held].append(TopicPartition(*place))
        try:
            if stopped[True]:
                self._consumer.pause(stopped[True])
            if stopped[False]:
                self._consumer.resume(stopped[False])
        except KafkaException as error:
            log.event(events.KAFKA_PAUSE_FAILED, problem=error.args[0].str())

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            problem = error or each.error
            if problem is not None:
                self._commit_failed(problem)
            else:
                self._committed((each.topic, each.partition), Commit(each.offset, each.metadata or ""))

    def _commit_failed(self, error: KafkaError) -> None:
        retried = error.code() in RETRIABLE_COMMIT
        log.event(events.KAFKA_COMMIT_RETRIED if retried else events.KAFKA_COMMIT_FAILED, problem=error.str())

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self.broken = True
        if error.code() in AUTH_ERRORS:
            self.login_refused = True
        if error.code() in BROKERS_DOWN:
            self._outage.begins(error.str())
        elif error.code() in TRANSIENT:
            log.event(events.KAFKA_ERROR_IGNORED, code=error.name(), problem=error.str())
        elif (text := f"{error.name()} {error.str()}") not in self._told:
            # Repeated with every try of librdkafka; said once until the next assignment.
            self._told.add(text)
            log.event(events.KAFKA_ERROR, code=error.name(), problem=error.str())


def trace_of(message: Message) -> SpanContext | None:
    """Which trace the headers of `message` say it belongs to."""
    try:
        headers = message.headers()
    except Exception:  # a name that is no text, in librdkafka's client: whoever publishes must not stop the reading
        return None
    return trace.from_kafka(headers.items() if isinstance(headers, dict) else headers)


def _sound(partitions: list[TopicPartition]) -> list[TopicPartition]:
    for each in partitions:
        if each.error is not None:
            raise KafkaException(each.error)
    return partitions


def _names(partitions: list[TopicPartition]) -> str:
    return " ".join(f"{each.topic}/{each.partition}" for each in partitions)

"""Finds out where to begin to read the partitions that were assigned: asks the ledger, then Kafka, then the rules.

The ledger is asked in the background, because Redis may be away; Kafka from the thread that polls, one short question
between two polls, so that the group never misses this member.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from confluent_kafka import KafkaException

from ingest.kafka.background import in_background
from ingest.kafka.commit_metadata import CommitMetadata
from ingest.kafka.consumer import KafkaReader
from ingest.kafka.record import Partition
from ingest.kafka.start_position import BEGINNING, PartitionState, Reason, StartPosition, choose_start
from longshore.errors import StoreUnavailable
from longshore.ledger.entry import PartitionOffsets
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import Event, EventLog

log = EventLog(__name__)

AGAIN_S = 1.0
"""When to ask again where there was no answer."""

SLACK_MS = 600_000
"""How far clocks of those who publish may be apart: what is read again because of it is known by its ids."""

EVENTS: Mapping[Reason, Event] = {
    "ledger_behind": events.LEDGER_BEHIND_COMMIT,
    "ledger_replaced": events.LEDGER_REPLACED,
    "recreated": events.KAFKA_PARTITION_RECREATED,
    "new_partition": events.KAFKA_PARTITION_ADDED,
    "moved_ahead": events.KAFKA_COMMIT_MOVED,
    "commit_gone": events.KAFKA_COMMIT_EXPIRED,
    "out_of_range": events.KAFKA_POSITION_RESET,
}
"""What an operator must know of; other reasons to begin somewhere are the usual ones."""

Starts = dict[Partition, StartPosition]
Commits = dict[Partition, tuple[int, CommitMetadata | None]]


class StartOffsetResolver:
    """Places the partitions of one reader. To be used from the thread that polls."""

    def __init__(self, ledger: Ledger, reset: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`reset` is the rule for partitions about which nothing is known (`auto.offset.reset`)."""
        self._ledger = ledger
        self._reset = reset
        self._clock = clock
        self._not_before = 0.0
        self._assignment_ids: dict[Partition, int] = {}
        self._answer: Iterator[Starts | None] = iter(())
        self._told: set[Partition] = set()

    @property
    def is_asking(self) -> bool:
        """Whether `look` has begun and will soon have found out."""
        return bool(self._assignment_ids)

    def look(self, reader: KafkaReader) -> Starts | None:
        """Goes on finding out for `reader.unpositioned`; returns the starts once all are known, else None.

        To be called between polls. A partition may be missing in the answer: nothing says where to begin.
        """
        if self._clock() < self._not_before:
            return None
        if reader.unpositioned != self._assignment_ids:
            # Assigned anew in the middle of the questions: others may have read on meanwhile.
            self._assignment_ids = dict(reader.unpositioned)
            self._answer = self._find_out(reader, self._assignment_ids)
        try:
            found = next(self._answer, None)
        except (KafkaException, StoreUnavailable) as error:
            log.event(events.KAFKA_POSITIONING_DELAYED, problem=str(error)[:300])
            found = {}
        if found is not None:
            if len(found) < len(self._assignment_ids):
                self._not_before = self._clock() + AGAIN_S
            self._assignment_ids = {}
        return found

    def _find_out(self, reader: KafkaReader, partitions: Collection[Partition]) -> Iterator[Starts | None]:
        """Asks one short question with each step and yields None, at last the starts.

        The order of the questions keeps the answers true to each other while other members go on: the ledger first, as
        Kafka's end would otherwise seem to lie behind what another member has just stored; then commits, all of a topic
        in one answer, so that one which another member makes meanwhile is in it whole or not at all; the ends last.
        Nothing is changed before all is known, so a crash here leaves nothing behind.
        """
        ordered = sorted(partitions)
        asked = in_background("ask-ledger", lambda: self._ledger.partition_offsets(ordered))
        while not asked.done():
            yield None
        ledger = asked.result()
        commits: Commits = {}
        counts = {}
        for topic in sorted({topic for topic, _ in ordered}):
            counts[topic] = reader.count_partitions(topic)
            yield None
            commits |= reader.commits([(topic, number) for number in range(counts[topic])])
            yield None
        low = reader.offsets_at(dict.fromkeys(ordered, reader.EARLIEST))
        yield None
        high = reader.offsets_at(dict.fromkeys(ordered, reader.LATEST))
        yield None
        by_time = reader.offsets_at({each: max(0, at - SLACK_MS) for each, at in ledger.newest_ms.items()})
        starts = {}
        for partition in ordered:
            topic, number = partition
            committed, metadata = commits.get(partition, (None, None))
            initial_partitions = self._initial_partitions(topic, commits, counts[topic], ledger)
            state = PartitionState(
                low=low[partition],
                high=high[partition],
                committed=committed,
                metadata=metadata,
                ledger=ledger.ledger,
                known=ledger.next.get(partition),
                # Without a record so young, all are of another log than the one that was read; otherwise ids tell.
                by_time=by_time.get(partition, low[partition] if partition in ledger.newest_ms else None),
                added=number >= initial_partitions,
            )
            start = choose_start(state, self._reset)
            self._tell(partition, state, start)
            if start is not None:
                known_count = initial_partitions or counts[topic]
                starts[partition] = replace(start, initial_partitions=known_count, ledger=ledger.ledger)
        yield starts

    def _initial_partitions(self, topic: str, commits: Commits, count: int, ledger: PartitionOffsets) -> int:
        """How many partitions the topic had when the group began to read it; 0 if it was recreated since."""
        of_topic = [(place[1], metadata) for place, (_, metadata) in commits.items() if place[0] == topic]
        counts = [metadata.initial_partitions for _, metadata in of_topic if metadata is not None]
        if counts:
            return min(counts)
        if of_topic:
            # Others commit only where they have read something: the highest of those is the best that can be known.
            return 1 + max(number for number, _ in of_topic)
        return 0 if topic in ledger.topics else count

    def _tell(self, place: Partition, facts: PartitionState, start: StartPosition | None) -> None:
        if start is None:
            if place not in self._told:
                self._told.add(place)
                log.event(
                    events.KAFKA_PARTITION_SKIPPED, topic=place[0], partition=place[1],
                    means="no commit, and KAFKA_CONSUMER_AUTO_OFFSET_RESET=error: the partition is not read",
                    remedy="set an offset with kafka-consumer-groups --reset-offsets, or another reset rule",
                )  # fmt: skip
            return
        self._told.discard(place)
        event = EVENTS.get(start.reason)
        if event is None:
            log.event(
                events.KAFKA_PARTITION_POSITIONED,
                topic=place[0],
                partition=place[1],
                offset=start.offset,
                reason=start.reason,
            )
            return
        log.event(
            event,
            topic=place[0],
            partition=place[1],
            begins_at=start.offset,
            committed=facts.committed,
            committed_by="nobody" if facts.committed is None else "others" if facts.metadata is None else "longshore",
            ledger_next=facts.known,
            kafka_has=f"{facts.low} to {facts.high}",
            reset_rule=f"{self._reset}: {'the beginning' if self._reset in BEGINNING else 'the end'}",
            not_read=dict(start.skipped) or 0,
            remedy=event.remedy,
        )

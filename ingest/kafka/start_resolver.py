"""Finds out where to begin to read the partitions that were assigned: asks the ledger, then Kafka, then the rules.

The ledger is asked in the background, because Redis may be away; Kafka from the thread that polls, one short question
between two polls, so that the group never misses this member. Nothing is stored, committed or fetched before all is
known: a crash here leaves nothing behind, and the next consumer asks again.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from confluent_kafka import KafkaException

from ingest.background import in_background
from ingest.kafka.commit_metadata import CommitMetadata
from ingest.kafka.consumer import KafkaReader
from ingest.kafka.partition_queries import EARLIEST, LATEST
from ingest.kafka.record import Partition
from ingest.kafka.start_position import BEGINNING, PartitionState, Reason, StartPosition, choose_start
from longshore.errors import StoreUnavailable
from longshore.ledger.entry import PartitionOffsets
from longshore.ledger.ledger import Ledger
from longshore.ledger.partition_offsets import read_partition_offsets
from longshore.log import events
from longshore.log.event_log import Event, EventLog

log = EventLog(__name__)

RETRY_S = 1.0
"""When to ask again where there was no answer."""

CLOCK_SKEW_MS = 600_000
"""How far the clocks of publishers may differ. What is read again because of it, the ledger knows by its ids."""

EVENTS: Mapping[Reason, Event] = {
    "ledger_behind": events.LEDGER_BEHIND_COMMIT,
    "ledger_replaced": events.LEDGER_REPLACED,
    "recreated": events.KAFKA_PARTITION_RECREATED,
    "new_partition": events.KAFKA_PARTITION_ADDED,
    "moved_ahead": events.KAFKA_COMMIT_MOVED,
    "commit_gone": events.KAFKA_COMMIT_EXPIRED,
    "out_of_range": events.KAFKA_POSITION_RESET,
}
"""Of starts that an operator must know of; all others are the usual ones."""

Starts = dict[Partition, StartPosition]
Commits = Mapping[Partition, tuple[int, CommitMetadata | None]]


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the ledger and Kafka say, by partition, by topic or in all."""

    ledger: PartitionOffsets
    commits: Commits
    counts: Mapping[str, int]
    low: Mapping[Partition, int]
    high: Mapping[Partition, int]
    by_time: Mapping[Partition, int]


class StartOffsetResolver:
    """Finds the starts of the partitions of one reader. To be used from the thread that polls."""

    def __init__(self, ledger: Ledger, reset: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`reset` is the rule for partitions about which nothing is known (`auto.offset.reset`)."""
        self._ledger = ledger
        self._reset = reset
        self._clock = clock
        self._not_before = 0.0
        self._assignment_ids: dict[Partition, int] = {}
        """What the questions under way are about; empty if there are none."""
        self._steps: Iterator[Starts | None] = iter(())
        self._without_start: set[Partition] = set()
        """Partitions that are not read, which was logged."""

    @property
    def is_asking(self) -> bool:
        """Whether `resolve` is in the middle of its questions, and will soon have the answers."""
        return bool(self._assignment_ids)

    def resolve(self, reader: KafkaReader) -> Starts | None:
        """Asks the next question about `reader.unpositioned`. Returns the starts after the last one, otherwise None.

        To be called between polls. A partition may be missing in the answer: nothing says where to begin, or an answer
        did not come. It stays unpositioned, and after `RETRY_S` it is asked about again.
        """
        if self._clock() < self._not_before:
            return None
        if reader.unpositioned != self._assignment_ids:
            # Another assignment since the first question: other members may have read on meanwhile, so all over again.
            self._assignment_ids = dict(reader.unpositioned)
            self._steps = self._ask(reader, self._assignment_ids)
        try:
            starts = next(self._steps, None)
        except (KafkaException, StoreUnavailable) as error:
            log.event(events.KAFKA_POSITIONING_DELAYED, problem=str(error)[:300])
            starts = {}
        if starts is not None:
            if len(starts) < len(self._assignment_ids):
                self._not_before = self._clock() + RETRY_S
            self._assignment_ids = {}
        return starts

    def _ask(self, reader: KafkaReader, partitions: Collection[Partition]) -> Iterator[Starts | None]:
        """Asks one short question with each step and yields None, at last the starts.

        Other members go on reading, storing and committing between two questions. The order keeps the answers true to
        each other all the same:

        - The ledger first, Kafka's ends last. The other way round, a record that another member stores in between would
          put the ledger ahead of Kafka's end, which is how a recreated partition looks.
        - All commits of a topic in one answer: a commit that another member makes meanwhile is in it whole, offset and
          metadata, or not at all.
        """
        ordered = sorted(partitions)
        queries = reader.queries
        question = in_background("ask-ledger", lambda: read_partition_offsets(self._ledger, ordered))
        while not question.done():
            yield None
        ledger = question.result()
        commits: dict[Partition, tuple[int, CommitMetadata | None]] = {}
        counts = {}
        for topic in sorted({topic for topic, _ in ordered}):
            counts[topic] = queries.count_partitions(topic)
            yield None
            commits |= queries.read_commits([(topic, number) for number in range(counts[topic])])
            yield None
        low = queries.find_offsets(dict.fromkeys(ordered, EARLIEST))
        yield None
        high = queries.find_offsets(dict.fromkeys(ordered, LATEST))
        yield None
        times_ms = {each: max(0, newest_ms - CLOCK_SKEW_MS) for each, newest_ms in ledger.newest_ms.items()}
        by_time = queries.find_offsets(times_ms)
        yield self._choose(ordered, _Answers(ledger, commits, counts, low, high, by_time))

    def _choose(self, partitions: Collection[Partition], answers: _Answers) -> Starts:
        """The start of each partition for which a rule gives one."""
        ledger = answers.ledger
        starts = {}
        for partition in partitions:
            topic, number = partition
            committed, metadata = answers.commits.get(partition, (None, None))
            count = answers.counts[topic]
            initial_partitions = _initial_partitions(topic, answers.commits, count, ledger)
            low = answers.low[partition]
            state = PartitionState(
                low=low,
                high=answers.high[partition],
                committed=committed,
                metadata=metadata,
                ledger=ledger.ledger,
                ledger_next=ledger.next.get(partition),
                # Kafka has no record as young as the newest that the ledger had: all of them are of another log.
                by_time=answers.by_time.get(partition, low if partition in ledger.newest_ms else None),
                added=number >= initial_partitions,
            )
            start = choose_start(state, self._reset)
            self._log(partition, state, start)
            if start is not None:
                starts[partition] = replace(start, initial_partitions=initial_partitions or count, ledger=ledger.ledger)
        return starts

    def _log(self, partition: Partition, state: PartitionState, start: StartPosition | None) -> None:
        topic, number = partition
        if start is None:
            if partition not in self._without_start:
                self._without_start.add(partition)
                log.event(
                    events.KAFKA_PARTITION_SKIPPED,
                    topic=topic,
                    partition=number,
                )
            return
        self._without_start.discard(partition)
        event = EVENTS.get(start.reason)
        if event is None:
            log.event(
                events.KAFKA_PARTITION_POSITIONED,
                topic=topic,
                partition=number,
                offset=start.offset,
                reason=start.reason,
            )
            return
        log.event(
            event,
            topic=topic,
            partition=number,
            begins_at=start.offset,
            committed=state.committed,
            committed_by="nobody" if state.committed is None else "others" if state.metadata is None else "longshore",
            ledger_next=state.ledger_next,
            kafka_has=f"{state.low} to {state.high}",
            reset_rule=f"{self._reset}: {'the beginning' if self._reset in BEGINNING else 'the end'}",
            not_read=dict(start.skipped) or 0,
        )


def _initial_partitions(topic: str, commits: Commits, count: int, ledger: PartitionOffsets) -> int:
    """How many partitions the topic had when the group began to read it; 0 if it was recreated since.

    Those with a higher number were added later, and are read from their beginning whatever the reset rule says.
    """
    of_topic = [(number, metadata) for (name, number), (_, metadata) in commits.items() if name == topic]
    counts = [metadata.initial_partitions for _, metadata in of_topic if metadata is not None]
    if counts:
        return min(counts)
    if of_topic:
        # Others commit only where they have read something: the highest of those is the best that can be known.
        return 1 + max(number for number, _ in of_topic)
    return 0 if topic in ledger.topics else count

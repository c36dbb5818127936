"""Reads Kafka again from a time on and stores what the ledger does not know: after Redis was lost with all it held.

Stands outside the consumer group: it joins nothing, commits nothing and leaves the ledger's next offsets alone. So it
may run while the agent runs; what both read is stored once, as each knows the other's by its id.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from ingest.batch_preparer import BatchPreparer, PreparedBatch
from ingest.kafka.consumer import trace_of
from ingest.kafka.consumer_options import open_consumer
from ingest.kafka.offset_ranges import ranges_of
from ingest.kafka.record import KafkaRecord, Partition
from longshore.errors import LongshoreError, StoreUnavailable
from longshore.invocation.mapping import JqUnavailable
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

ASK_S = 15.0
POLL_S = 1.0
WAIT_S = 1.0
"""Between two looks for a dependency that is away, or for room in the ledger."""
STUCK_S = 60.0
"""No message for so long although some must come: Kafka is away, or refuses us."""

EARLIEST, LATEST = -2, -1
"""Kafka protocol, ListOffsets."""


class KafkaRefused(LongshoreError):
    """Kafka could not be asked, or sends nothing."""


@dataclass(frozen=True, slots=True)
class Range:
    """The offsets of one partition to read: `[first, next)`. `cut`: Kafka has nothing older than the first."""

    place: Partition
    first: int
    next: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    read: int
    total: int
    counts: Counter[str]
    waits_for: str = ""


class Rebuild:
    """One pass over what was published since a time."""

    def __init__(
        self,
        options: dict[str, Any],
        topics: Sequence[str],
        preparer: BatchPreparer,
        ledger: Ledger,
        has_room: Callable[[], bool],
        batch: int,
    ) -> None:
        """`options` are the intake's own for its consumer. `has_room` says whether the ledger may take more now."""
        own = {"auto.offset.reset": "earliest", "enable.partition.eof": True}
        self._consumer = open_consumer(options | own)
        self._topics = topics
        self._preparer = preparer
        self._ledger = ledger
        self._has_room = has_room
        self._batch = batch

    def ranges(self, since_ms: int) -> list[Range]:
        """What was published since then, of all partitions. Raises `KafkaRefused`."""
        try:
            places = []
            for topic in self._topics:
                found = self._consumer.list_topics(topic, timeout=ASK_S).topics[topic]
                if found.error is not None:
                    raise KafkaException(found.error)
                places += [(topic, number) for number in found.partitions]
            low, high = self._offsets(places, EARLIEST), self._offsets(places, LATEST)
            since = self._offsets(places, since_ms)
        except KafkaException as error:
            raise KafkaRefused(error.args[0].str()) from error
        # Without a record so young there is nothing to read: -1.
        firsts = {place: high[place] if since[place] < 0 else since[place] for place in places}
        return [Range(p, firsts[p], high[p], 0 < low[p] == firsts[p] < high[p]) for p in sorted(places)]

    def run(self, ranges: Sequence[Range], tell: Callable[[Progress], None], *, dry: bool) -> Counter[str]:
        """Reads `ranges`, and stores what is new unless `dry`. Returns what became of the messages, by word.

        `accepted` (with `dry`: `new`), `repeated` and `repeated_elsewhere` (known by id), `skipped:<reason>`. May be
        broken off and begun anew at any time. Raises `KafkaRefused`.
        """
        left = {each.place: each.next for each in ranges if each.first < each.next}
        total = sum(each.next - each.first for each in ranges)
        self._consumer.assign([TopicPartition(*r.place, r.first) for r in ranges if r.place in left])
        counts: Counter[str] = Counter()
        at = {each.place: each.first for each in ranges}
        heard = time.monotonic()

        def say(waits_for: str = "") -> None:
            read = sum(at[each.place] - each.first for each in ranges)
            tell(Progress(read, total, counts, waits_for))

        while left:
            while not dry and not self._has_room():
                say("room in Redis")
                time.sleep(WAIT_S)
                heard = time.monotonic()
            messages = self._consumer.consume(self._batch, POLL_S)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > STUCK_S:
                raise KafkaRefused(f"nothing came for {STUCK_S:.0f} s although more must come")
            records = [record for message in messages if (record := self._record(message, left, at)) is not None]
            if records:
                counts.update(self._deal_with(records, dry, say))
            say()
        return counts

    def close(self) -> None:
        """Let go of Kafka."""
        self._consumer.close()

    def _offsets(self, places: Sequence[Partition], time_ms: int) -> dict[Partition, int]:
        asked = [TopicPartition(*place, time_ms) for place in places]
        found = self._consumer.offsets_for_times(asked, timeout=ASK_S)
        for each in found:
            if each.error is not None:
                raise KafkaException(each.error)
        return {(each.topic, each.partition): each.offset for each in found}

    def _record(self, message: Message, left: dict[Partition, int], at: dict[Partition, int]) -> KafkaRecord | None:
        """The record of `message`, if it is to be read. Notes how far its partition is."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        error = message.error()
        if topic is None or partition is None or offset is None:
            log.event(events.KAFKA_ERROR_IGNORED, problem=str(error))
            return None
        place = (topic, partition)
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaRefused(error.str())
        if place not in left:
            return None
        wanted = error is None and offset < left[place]
        at[place] = min(offset + 1 if error is None else offset, left[place])
        if error is not None or offset + 1 >= left[place]:
            at[place] = left.pop(place)  # up to there nothing is left but markers, if anything
            self._consumer.pause([TopicPartition(*place)])
        if not wanted:
            return None
        trace = trace_of(message)
        return KafkaRecord(topic, partition, offset, message.timestamp()[1], message.value(), trace=trace)

    def _deal_with(self, records: Sequence[KafkaRecord], dry: bool, waits: Callable[[str], None]) -> Counter[str]:
        while True:
            try:
                prepared = self._preparer.prepare(records)
                return self._look_up(prepared) if dry else self._store(prepared)
            except (StoreUnavailable, JqUnavailable) as error:
                waits(str(error))
                time.sleep(WAIT_S)
            except Exception as error:
                if dry:
                    raise
                if len(records) > 1:
                    half = len(records) // 2
                    return self._deal_with(records[:half], dry, waits) + self._deal_with(records[half:], dry, waits)
                log.event(events.INGEST_WRITE_REFUSED, origin=records[0].origin, error=type(error).__name__)
                return self._store(self._preparer.unstorable(records[0]))

    def _store(self, prepared: PreparedBatch[KafkaRecord]) -> Counter[str]:
        ranges = ranges_of(prepared.records, {}, prepared.skipped, mode="replay")
        accepted = self._ledger.accept(ranges, prepared.entries, 0)
        return Counter(accepted.results) + _skipped(prepared)

    def _look_up(self, prepared: PreparedBatch[KafkaRecord]) -> Counter[str]:
        known = self._ledger.exist([entry.id for entry in prepared.entries])
        return Counter("repeated" if each else "new" for each in known) + _skipped(prepared)


def _skipped(prepared: PreparedBatch[KafkaRecord]) -> Counter[str]:
    return Counter(f"skipped:{reason}" for _, reason in prepared.skipped)

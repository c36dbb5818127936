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
from ingest.kafka.consumer_errors import KafkaRefused
from ingest.kafka.consumer_options import open_consumer
from ingest.kafka.message import to_record
from ingest.kafka.offset_ranges import build_ranges
from ingest.kafka.partition_queries import EARLIEST, LATEST, PartitionQueries
from ingest.kafka.record import KafkaRecord, Partition
from longshore.errors import IntakeStopped, StoreUnavailable
from longshore.invocation.mapping import JqUnavailable
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

QUERY_S = 15.0
POLL_S = 1.0
RETRY_S = 1.0
"""Between two tries where a dependency is away or the ledger has no room."""
STUCK_S = 60.0
"""No message for so long although some must come: Kafka is away, or refuses us."""


@dataclass(frozen=True, slots=True)
class Range:
    """The offsets of one partition to read: `[first, next)`."""

    partition: Partition
    first: int
    next: int
    is_truncated: bool
    """Kafka has nothing before the first any more, so what is older may be missing."""


@dataclass(frozen=True, slots=True)
class RebuildProgress:
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
        """`options` are those of ingest for its own consumer. `has_room` says whether the ledger may take more now."""
        required = {"auto.offset.reset": "earliest", "enable.partition.eof": True}
        self._consumer = open_consumer(options | required)
        self._topics = topics
        self._preparer = preparer
        self._ledger = ledger
        self._has_room = has_room
        self._batch = batch

    def ranges(self, since_ms: int) -> list[Range]:
        """What was published since then, of all partitions. Raises `KafkaRefused`."""
        queries = PartitionQueries(self._consumer, QUERY_S)
        try:
            partitions = [(topic, n) for topic in self._topics for n in range(queries.count_partitions(topic))]
            low = queries.find_offsets(dict.fromkeys(partitions, EARLIEST))
            high = queries.find_offsets(dict.fromkeys(partitions, LATEST))
            first = queries.find_offsets(dict.fromkeys(partitions, since_ms))
        except KafkaException as error:
            raise KafkaRefused(error.args[0].str()) from error
        first = high | first  # without a record so young there is nothing to read
        return [Range(p, first[p], high[p], 0 < low[p] == first[p] < high[p]) for p in sorted(partitions)]

    def run(
        self, ranges: Sequence[Range], on_progress: Callable[[RebuildProgress], None], *, dry: bool
    ) -> Counter[str]:
        """Reads `ranges`, and stores what is new unless `dry`. Returns how many messages had which result.

        `accepted` (with `dry`: `new`), `repeated` and `repeated_elsewhere` (the ledger has the id), `skipped:<reason>`.
        May be interrupted and run again at any time: what it has stored by then is repeated. Raises `KafkaRefused`.
        """
        ends = {each.partition: each.next for each in ranges if each.first < each.next}
        positions = {each.partition: each.first for each in ranges}
        total = sum(each.next - each.first for each in ranges)
        self._consumer.assign([TopicPartition(*r.partition, r.first) for r in ranges if r.partition in ends])
        counts: Counter[str] = Counter()
        last_message_at = time.monotonic()

        def report(waits_for: str = "") -> None:
            read = sum(positions[each.partition] - each.first for each in ranges)
            on_progress(RebuildProgress(read, total, counts, waits_for))

        while ends:
            while not dry and not self._has_room():
                report("room in Redis")
                time.sleep(RETRY_S)
                last_message_at = time.monotonic()
            messages = self._consumer.consume(self._batch, POLL_S)
            if messages:
                last_message_at = time.monotonic()
            elif time.monotonic() - last_message_at > STUCK_S:
                raise KafkaRefused(f"nothing came for {STUCK_S:.0f} s although more must come")
            records = [each for message in messages if (each := self._receive(message, ends, positions)) is not None]
            if records:
                counts.update(self._process(records, dry, report))
            report()
        return counts

    def close(self) -> None:
        """Let go of Kafka."""
        self._consumer.close()

    def _receive(
        self, message: Message, ends: dict[Partition, int], positions: dict[Partition, int]
    ) -> KafkaRecord | None:
        """The record of `message`, if it is to be read. Advances its partition, and drops it from `ends` at its end."""
        topic, number, offset = message.topic(), message.partition(), message.offset()
        error = message.error()
        if topic is None or number is None or offset is None:
            log.event(events.KAFKA_ERROR_IGNORED, problem=str(error))
            return None
        partition = (topic, number)
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaRefused(error.str())
        if partition not in ends:
            return None
        is_in_range = error is None and offset < ends[partition]
        positions[partition] = min(offset + 1 if error is None else offset, ends[partition])
        if error is not None or offset + 1 >= ends[partition]:
            # Up to the end there is nothing more but transaction markers, if anything.
            positions[partition] = ends.pop(partition)
            self._consumer.pause([TopicPartition(*partition)])
        return to_record(message) if is_in_range else None

    def _process(self, records: Sequence[KafkaRecord], dry: bool, on_wait: Callable[[str], None]) -> Counter[str]:
        """Store `records`, or only look them up. A record that the ledger's scripts refuse is found by halving."""
        while True:
            try:
                batch = self._preparer.prepare(records)
                return self._look_up(batch) if dry else self._store(batch)
            except (StoreUnavailable, JqUnavailable, IntakeStopped) as error:
                on_wait(str(error))
                time.sleep(RETRY_S)
            except Exception as error:
                if dry:
                    raise
                if len(records) > 1:
                    half = len(records) // 2
                    return self._process(records[:half], dry, on_wait) + self._process(records[half:], dry, on_wait)
                log.event(events.INGEST_WRITE_REFUSED, origin=records[0].origin, error=type(error).__name__)
                return self._store(self._preparer.make_unstorable(records[0]))

    def _store(self, batch: PreparedBatch[KafkaRecord]) -> Counter[str]:
        ranges = build_ranges(batch.records, {}, batch.skipped, mode="replay")
        accepted = self._ledger.accept(ranges, batch.entries, 0)
        return Counter(accepted.results) + _skipped(batch)

    def _look_up(self, batch: PreparedBatch[KafkaRecord]) -> Counter[str]:
        do_exist = self._ledger.exist([entry.id for entry in batch.entries])
        return Counter("repeated" if each else "new" for each in do_exist) + _skipped(batch)


def _skipped(batch: PreparedBatch[KafkaRecord]) -> Counter[str]:
    return Counter(f"skipped:{reason}" for _, reason in batch.skipped)

"""What has been read and not yet stored: from the thread that polls Kafka to the one that fills the ledger.

A single message is taken at once; under load what came meanwhile is taken together. Bounded by number and bytes: the
reader asks for room before it reads. The records of a partition on hold wait without keeping others waiting.
"""

import threading
from collections import deque
from collections.abc import Collection, Iterable, Sequence

from ingest.kafka.record import KafkaRecord, Partition

BATCH_BYTES = 4 << 20
"""Most bytes taken at once (one message may be larger): all of Redis waits for the script that stores them."""

WAITING_BYTES = 16 << 20
"""Bytes waiting above which there is no room for more."""

ON_HOLD_BYTES = 32 << 20
"""The same for what is on hold. A partition on hold is paused, so few ever have as much."""


class RecordQueue:
    """A bounded queue of records, `batch` of them taken at once at most. Thread safe."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._max_records = 2 * batch
        self._records: deque[KafkaRecord] = deque()
        self._on_hold: dict[Partition, list[KafkaRecord]] = {}
        self._closed = False
        self._changed = threading.Condition()

    def put(self, records: Sequence[KafkaRecord]) -> None:
        """Add what was read. Never waits: what Kafka has given must not be dropped."""
        with self._changed:
            for record in records:
                self._on_hold.get(record.topic_partition, self._records).append(record)
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> list[KafkaRecord] | None:
        """The oldest records, as soon as there are any; empty after `timeout_s`, None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._records or self._closed, timeout_s)
            if self._closed:
                return None
            records: list[KafkaRecord] = []
            size = 0
            while self._records and len(records) < self._batch:
                size += _get_size(self._records[0])
                if records and size > BATCH_BYTES:
                    break
                records.append(self._records.popleft())
            self._changed.notify_all()
            return records

    def hold(self, partition: Partition, records: Iterable[KafkaRecord]) -> None:
        """Let `partition` wait from now on, with those `records` of it that were taken and not stored.

        The reader stops fetching it. A crash loses nothing: none of them is committed.
        """
        with self._changed:
            waiting = (record for record in self._records if record.topic_partition == partition)
            on_hold = [*self._on_hold.get(partition, ()), *records, *waiting]
            self._on_hold[partition] = sorted(on_hold, key=lambda record: (record.assignment_id, record.offset))
            self._records = deque(record for record in self._records if record.topic_partition != partition)
            self._changed.notify_all()

    def release(self, partition: Partition) -> None:
        """Let `partition` go on, before all others."""
        with self._changed:
            self._records.extendleft(reversed(self._on_hold.pop(partition, [])))
            self._changed.notify_all()

    @property
    def on_hold(self) -> dict[Partition, list[KafkaRecord]]:
        """The partitions on hold, with the batch that comes next of each."""
        with self._changed:
            return {partition: records[: self._batch] for partition, records in self._on_hold.items()}

    def has_room(self, timeout_s: float = 0) -> bool:
        """Whether more may be read now, or within `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(self._has_room, timeout_s)

    def drop(self, partitions: Collection[Partition]) -> None:
        """Forget what waits of these partitions: they were revoked, or are read again from further back."""
        with self._changed:
            self._records = deque(record for record in self._records if record.topic_partition not in partitions)
            self._on_hold = {
                partition: records for partition, records in self._on_hold.items() if partition not in partitions
            }
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is taken any more; what waits stays uncommitted in Kafka."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        on_hold = sum(_count_bytes(records) for records in self._on_hold.values())
        return (
            len(self._records) < self._max_records
            and _count_bytes(self._records) < WAITING_BYTES
            and on_hold < ON_HOLD_BYTES
        )


def _count_bytes(records: Iterable[KafkaRecord]) -> int:
    return sum(map(_get_size, records))


def _get_size(record: KafkaRecord) -> int:
    return len(record.value) if record.value is not None else 0

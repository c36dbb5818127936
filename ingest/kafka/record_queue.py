"""What has been read and not yet stored: from the thread that polls Kafka to the one that fills the ledger.

A single message is taken at once; under load what came meanwhile is taken together. Bounded by number and bytes: the
reader asks for room before it reads. What belongs to a partition that is held back waits without keeping up the others.
"""

import threading
from collections import deque
from collections.abc import Collection, Iterable, Sequence

from ingest.kafka.record import KafkaRecord, Partition

BATCH_BYTES = 4 << 20
"""Most bytes taken at once (one message may be larger): all of Redis waits for the script that stores them."""

WAITING_BYTES = 16 << 20
"""Bytes waiting above which there is no room for more."""

HELD_BYTES = 32 << 20
"""The same for what is held back. A partition that is held back is paused, so few ever have as much."""


class RecordQueue:
    """A bounded queue of records, `batch` of them taken at once at most. Thread safe."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._most = 2 * batch
        self._records: deque[KafkaRecord] = deque()
        self._held: dict[Partition, list[KafkaRecord]] = {}
        self._closed = False
        self._changed = threading.Condition()

    def put(self, records: Sequence[KafkaRecord]) -> None:
        """Add what was read. Never waits: what Kafka has given must not be dropped."""
        with self._changed:
            for record in records:
                self._held.get(record.topic_partition, self._records).append(record)
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> list[KafkaRecord] | None:
        """The oldest records, as soon as there are any; empty after `timeout_s`, None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._records or self._closed, timeout_s)
            if self._closed:
                return None
            taken: list[KafkaRecord] = []
            size = 0
            while self._records and len(taken) < self._batch:
                size += _size(self._records[0])
                if taken and size > BATCH_BYTES:
                    break
                taken.append(self._records.popleft())
            self._changed.notify_all()
            return taken

    def hold(self, place: Partition, taken: Iterable[KafkaRecord]) -> None:
        """Let `place` wait from now on, with what was `taken` of it and not stored; the reader stops fetching it."""
        with self._changed:
            waiting = (record for record in self._records if record.topic_partition == place)
            of_place = [*self._held.get(place, ()), *taken, *waiting]
            self._held[place] = sorted(of_place, key=lambda record: (record.assignment_id, record.offset))
            self._records = deque(record for record in self._records if record.topic_partition != place)
            self._changed.notify_all()

    def release(self, place: Partition) -> None:
        """Let `place` go on, before all others."""
        with self._changed:
            self._records.extendleft(reversed(self._held.pop(place, [])))
            self._changed.notify_all()

    @property
    def held(self) -> dict[Partition, list[KafkaRecord]]:
        """The partitions that are held back, with the batch that comes next of each."""
        with self._changed:
            return {place: records[: self._batch] for place, records in self._held.items()}

    def has_room(self, timeout_s: float = 0) -> bool:
        """Whether more may be read now, or within `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(self._fits, timeout_s)

    def drop(self, places: Collection[Partition]) -> None:
        """Forget what waits of these partitions: they were revoked, or are read again from further back."""
        with self._changed:
            self._records = deque(record for record in self._records if record.topic_partition not in places)
            self._held = {place: records for place, records in self._held.items() if place not in places}
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is taken any more; what waits stays uncommitted in Kafka."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self) -> bool:
        held = sum(_bytes(records) for records in self._held.values())
        return len(self._records) < self._most and _bytes(self._records) < WAITING_BYTES and held < HELD_BYTES


def _bytes(records: Iterable[KafkaRecord]) -> int:
    return sum(map(_size, records))


def _size(record: KafkaRecord) -> int:
    return len(record.value) if record.value is not None else 0

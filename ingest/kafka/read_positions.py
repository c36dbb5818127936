"""From where each partition is read, and how far the ledger is known to be: what the writer's thread keeps of Kafka.

A partition is read under an *assignment id* (see `consumer`). The thread that polls tells where a new one begins; the
ledger learns of that before it takes anything of it, so that it never takes the distance to an older position for a
loss. From then on each batch says which offset the ledger should expect next. A ledger that expects less has lost its
end, or is another one: it takes nothing of the batch, and what it misses is read again under a new assignment id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Literal

from ingest.kafka.offset_set import contains
from ingest.kafka.record import KafkaRecord, Partition
from ingest.kafka.start_position import StartPosition
from ingest.source import Progress
from longshore.ledger.entry import Accepted, OffsetRange
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)


@dataclass(frozen=True, slots=True)
class RereadRequest:
    """The ledger has lost what was read of a partition; nothing of it is stored before it is read again."""

    partition: Partition
    assignment_id: int
    """Under which it was read. If it has another one by now, there is nothing left to do."""
    start: StartPosition
    """From where it was begun to be read."""
    ledger: str
    """Name of the ledger as it is now."""
    next_offset: int | None
    """Where it stands; None if it knows nothing of the partition."""


@dataclass(slots=True)
class _Position:
    """One partition under one assignment."""

    assignment_id: int
    start: StartPosition
    expected: int
    """The next offset, as far as the ledger is known to be."""
    is_lost: bool = False
    """The ledger has fallen behind; what else was read under this assignment must not be stored."""


class ReadPositions:
    """The positions of all partitions that are ours. For the writer's thread, unless a method says otherwise."""

    def __init__(self) -> None:
        self.assignment_ids: dict[Partition, int] = {}
        """The present one of each partition that is ours. Kept by the thread that polls, read by the writer's."""
        self.rereads: SimpleQueue[RereadRequest] = SimpleQueue()
        """What must be read again; for the thread that polls."""
        self._new_starts: SimpleQueue[tuple[Partition, int, StartPosition]] = SimpleQueue()
        self._pending: dict[Partition, tuple[int, StartPosition]] = {}
        self._positions: dict[Partition, _Position] = {}

    def begin(self, partition: Partition, assignment_id: int, start: StartPosition) -> None:
        """It is read under this new assignment, from there. From the thread that polls, before any of it is queued."""
        self._new_starts.put((partition, assignment_id, start))

    def is_ours(self, record: KafkaRecord) -> bool:
        """Whether it is still this consumer's to store: not revoked since, and not about to be read again."""
        if self.assignment_ids.get(record.topic_partition) != record.assignment_id:
            return False
        position = self._positions.get(record.topic_partition)
        return position is None or position.assignment_id != record.assignment_id or not position.is_lost

    def is_finished(self, record: KafkaRecord) -> bool:
        """Whether the commit with which its partition was begun names it as finished."""
        position = self._positions.get(record.topic_partition)
        return position is not None and contains(position.start.finished, record.offset)

    def expected_offsets(self) -> Mapping[Partition, int]:
        """The next offset of each partition that is ours, as far as the ledger is known to be."""
        return {partition: position.expected for partition, position in self._present().items()}

    def sync(self, ledger: Ledger) -> None:
        """Tell the ledger where partitions were begun since the last call; raises `StoreUnavailable`.

        Then they stay pending, and nothing of them is stored before the ledger knows: the next try comes here first.
        """
        while True:
            try:
                partition, assignment_id, start = self._new_starts.get_nowait()
            except Empty:
                break
            self._pending[partition] = (assignment_id, start)
        self._pending = {p: pending for p, pending in self._pending.items() if self._is_present(p, pending[0])}
        if not self._pending:
            return
        ledger.accept([_make_opening_range(partition, start) for partition, (_, start) in self._pending.items()], (), 0)
        for partition, (assignment_id, start) in self._pending.items():
            self._positions[partition] = _Position(assignment_id, start, max(start.offset, start.expected or 0))
        self._pending = {}

    def ranges(self) -> Progress:
        """What the ledger should have by now, with nothing new."""
        expected = self.expected_offsets().items()
        return [OffsetRange(*partition, first=next, next=next, expected=next) for partition, next in expected]

    def advance(self, partition: Partition, assignment_id: int, next_offset: int) -> None:
        """The ledger has up to there what was read under this assignment."""
        position = self._present().get(partition)
        if position is not None and position.assignment_id == assignment_id:
            # A record that came again after a rebalance lies far below, and takes nothing back.
            position.expected = max(position.expected, next_offset)

    def rewind(self, accepted: Accepted) -> None:
        """The ledger is behind what was read: it lost its end, or was replaced. Has the lost part read again.

        A crash from here on loses nothing: neither is what the ledger lacks stored, nor was it committed.
        """
        for rewind in accepted.rewinds:
            partition = (rewind.topic, rewind.partition)
            position = self._present().get(partition)
            if position is None:
                continue
            log.event(
                events.LEDGER_ROLLED_BACK,
                topic=partition[0],
                partition=partition[1],
                ledger_next=rewind.next,
                read_up_to=position.expected,
                same_ledger=accepted.ledger == position.start.ledger,
            )
            position.is_lost = True
            self.rereads.put(
                RereadRequest(partition, position.assignment_id, position.start, accepted.ledger, rewind.next)
            )

    def _present(self) -> dict[Partition, _Position]:
        return {
            partition: position
            for partition, position in self._positions.items()
            if not position.is_lost and self._is_present(partition, position.assignment_id)
        }

    def _is_present(self, partition: Partition, assignment_id: int) -> bool:
        return self.assignment_ids.get(partition) == assignment_id


def _make_opening_range(partition: Partition, start: StartPosition) -> OffsetRange:
    """Moves the ledger's next offset to the start, with the reasons for what lies between and is not read."""
    mode: Literal["group", "reset"] = "reset" if start.recreated else "group"
    first = start.offset - sum(start.skipped.values())
    return OffsetRange(*partition, first=first, next=start.offset, skipped=start.skipped, mode=mode)

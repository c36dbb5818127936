"""Which offsets may be committed: those the ledger has had for longer than Redis needs to write to disk.

A commit that trails the ledger is what makes a lost second of Redis harmless: Kafka still counts those messages as
unread. So nothing here is ever committable early, not on revocation and not at shutdown; the next consumer reads a few
seconds again, and the ledger recognises the repeats.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from ingest.kafka.commit_metadata import CommitMetadata
from ingest.kafka.offset_set import OffsetSet
from ingest.kafka.record import KafkaRecord, Partition
from ingest.kafka.start_position import StartPosition

ReadUnfinished = Callable[[Collection[Partition]], tuple[str, dict[Partition, list[int]]]]
"""What the ledger answers: its name, and the unfinished offsets of each partition, in order."""


class Commit(NamedTuple):
    """An offset to commit, and the metadata that goes with it."""

    offset: int
    metadata: str


class Offsets(Protocol):
    """What may be committed, by one rule or another. Thread safe."""

    def on_assigned(self, partition: Partition, assignment_id: int, start: StartPosition) -> None:
        """`partition` is read in this assignment, beginning there."""

    def on_stored(self, partition: Partition, assignment_id: int, next_offset: int, ledger: str) -> None:
        """`ledger` has all of `partition` below `next_offset`, read in that assignment of it."""

    def committable(self, assignment_ids: Mapping[Partition, int]) -> dict[Partition, Commit]:
        """What to commit now, not yet confirmed, and read under a present assignment.

        A commit is returned again until `on_committed` confirms it, so one that failed needs no care.
        """

    def on_committed(self, partition: Partition, commit: Commit) -> None:
        """Kafka has confirmed this commit."""

    def restart_at(
        self, partition: Partition, start: StartPosition, ledger: str, ledger_next: int | None
    ) -> StartPosition:
        """Where to read `partition` again, which began at `start`: `ledger` has it only up to `ledger_next`."""

    def on_revoked(self, partition: Partition) -> None:
        """`partition` was revoked: others commit it from now on."""

    def refresh(self, read_unfinished: ReadUnfinished) -> None:
        """Ask what has been finished, where that decides. From the thread that fills the ledger, between batches.

        Raises `StoreUnavailable`.
        """

    def find_full(self, records: Sequence[KafkaRecord]) -> Collection[Partition]:
        """The partitions of `records` whose commits have no room for the results of these too: they must wait."""


class TrailingOffsets:
    """Offsets on their way from the ledger to the commit, `delay_s` seconds each. For a ledger that lasts."""

    def __init__(
        self, delay_s: float, clock: Callable[[], float] = time.monotonic, *, replicated: bool = False
    ) -> None:
        """`replicated`: nothing is committable before `set_replicated_until` says so."""
        self._delay_s = delay_s
        self._clock = clock
        self._lock = threading.Lock()
        self._stored: deque[tuple[float, Partition, int, Commit]] = deque()
        self._committable: dict[Partition, tuple[int, Commit]] = {}
        self._committed: dict[Partition, int] = {}
        self._starts: dict[Partition, StartPosition] = {}
        self._replicated_until = -math.inf if replicated else math.inf

    def on_assigned(self, partition: Partition, assignment_id: int, start: StartPosition) -> None:
        """See `Offsets`."""
        with self._lock:
            self._starts[partition] = start
            self._committable.pop(partition, None)
            if start.commit:
                self._committed.pop(partition, None)
                self._committable[partition] = (assignment_id, self._make_commit(partition, start.offset, start.ledger))

    def on_stored(self, partition: Partition, assignment_id: int, next_offset: int, ledger: str) -> None:
        """See `Offsets`."""
        with self._lock:
            self._stored.append(
                (self._clock(), partition, assignment_id, self._make_commit(partition, next_offset, ledger))
            )

    def set_replicated_until(self, time_s: float) -> None:
        """Enough replicas have what was stored before `time_s` (of the clock)."""
        with self._lock:
            self._replicated_until = time_s

    def committable(self, assignment_ids: Mapping[Partition, int]) -> dict[Partition, Commit]:
        """See `Offsets`."""
        with self._lock:
            limit = min(self._clock() - self._delay_s, self._replicated_until)
            while self._stored and self._stored[0][0] <= limit:
                _, partition, assignment_id, commit = self._stored.popleft()
                self._committable[partition] = (assignment_id, commit)
            # An offset of a partition that has gone to another consumer would set back the other one's commits.
            self._committable = {
                partition: entry
                for partition, entry in self._committable.items()
                if assignment_ids.get(partition) == entry[0]
            }
            return {
                partition: commit
                for partition, (_, commit) in self._committable.items()
                if self._committed.get(partition) != commit.offset
            }

    def on_committed(self, partition: Partition, commit: Commit) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed[partition] = commit.offset

    def restart_at(
        self, partition: Partition, start: StartPosition, ledger: str, ledger_next: int | None
    ) -> StartPosition:
        """See `Offsets`.

        An older state of the same ledger goes on where it stands. Another one gets what was not committed; to bring
        back more than that is an operator's decision.
        """
        if ledger == start.ledger:
            return restart_from(
                start,
                ledger,
                start.first_offset if ledger_next is None else ledger_next,
                ledger_next,
                start.first_offset,
            )
        with self._lock:
            offset = self._committed.get(partition, start.offset)
        return restart_from(start, ledger, offset, ledger_next, offset)

    def on_revoked(self, partition: Partition) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed.pop(partition, None)

    def refresh(self, read_unfinished: ReadUnfinished) -> None:
        """See `Offsets`. What the ledger has may be committed, finished or not."""

    def find_full(self, records: Sequence[KafkaRecord]) -> Collection[Partition]:
        """See `Offsets`. Its commits always have room, as each is one number."""
        return ()

    def _make_commit(self, partition: Partition, offset: int, ledger: str) -> Commit:
        start = self._starts.get(partition)
        first, partitions = (offset, 0) if start is None else (start.first_offset, start.initial_partitions)
        metadata = CommitMetadata(ledger, first, partitions)
        return Commit(offset, metadata.text(offset))


def restart_from(
    start: StartPosition,
    ledger: str,
    offset: int,
    ledger_next: int | None,
    first_offset: int,
    finished: OffsetSet = (),
    why: str = "committed",
) -> StartPosition:
    """The start for reading again from `offset`. What the ledger lacks below is counted as skipped, `<why>_before`."""
    skipped = {f"{why}_before": offset - ledger_next} if ledger_next is not None and ledger_next < offset else {}
    partitions = start.initial_partitions
    return StartPosition(
        offset, "read_again", ledger_next, first_offset, finished, partitions, ledger, skipped, commit=True
    )

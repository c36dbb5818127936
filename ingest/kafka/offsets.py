"""Which offsets may be committed: those the ledger has had for longer than Redis needs to write to disk.

A commit that trails the ledger is what makes a lost second of Redis harmless: Kafka still counts those messages as
unread. So nothing here is ever ready early, not on revocation and not at shutdown; the next consumer reads a few
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

Unfinished = Callable[[Collection[Partition]], tuple[str, dict[Partition, list[int]]]]
"""Asks the ledger: its name, and the unfinished offsets of each partition, in order."""


class Commit(NamedTuple):
    """An offset to commit, and the metadata that goes with it."""

    offset: int
    metadata: str


class Offsets(Protocol):
    """What may be committed, by one rule or another. Thread safe."""

    def on_assigned(self, place: Partition, assignment_id: int, start: StartPosition) -> None:
        """`place` is read in this assignment, beginning there."""

    def stored(self, place: Partition, assignment_id: int, next_offset: int, ledger: str) -> None:
        """`ledger` has all of `place` below `next_offset`, read in that assignment of it."""

    def committable(self, assignment_ids: Mapping[Partition, int]) -> dict[Partition, Commit]:
        """What to commit now, not yet confirmed, and read under a present assignment.

        A commit is returned again until `committed` confirms it, so one that failed needs no care.
        """

    def committed(self, place: Partition, commit: Commit) -> None:
        """Kafka has confirmed this commit."""

    def restart_at(self, place: Partition, start: StartPosition, ledger: str, known: int | None) -> StartPosition:
        """Where to read `place` again, which was begun with `start`, because `ledger` only has it up to `known`."""

    def on_revoked(self, place: Partition) -> None:
        """`place` was revoked: others commit it from now on."""

    def refresh(self, ask: Unfinished) -> None:
        """Find out what has been finished, where that decides. From the thread that fills the ledger, between batches.

        Raises `StoreUnavailable`.
        """

    def full(self, records: Sequence[KafkaRecord]) -> Collection[Partition]:
        """The partitions of `records` whose commits cannot hold what becomes of them too: they must wait in Kafka."""


class TrailingOffsets:
    """Offsets on their way from the ledger to the commit, `delay_s` seconds each. For a ledger that lasts."""

    def __init__(
        self, delay_s: float, clock: Callable[[], float] = time.monotonic, *, replicated: bool = False
    ) -> None:
        """`replicated`: nothing is ready before `replicated_until` says so."""
        self._delay_s = delay_s
        self._clock = clock
        self._lock = threading.Lock()
        self._stored: deque[tuple[float, Partition, int, Commit]] = deque()
        self._ripe: dict[Partition, tuple[int, Commit]] = {}
        self._committed: dict[Partition, int] = {}
        self._starts: dict[Partition, StartPosition] = {}
        self._replicated_until = -math.inf if replicated else math.inf

    def on_assigned(self, place: Partition, assignment_id: int, start: StartPosition) -> None:
        """See `Offsets`."""
        with self._lock:
            self._starts[place] = start
            self._ripe.pop(place, None)
            if start.commit:
                self._committed.pop(place, None)
                self._ripe[place] = (assignment_id, self._commit(place, start.offset, start.ledger))

    def stored(self, place: Partition, assignment_id: int, next_offset: int, ledger: str) -> None:
        """See `Offsets`."""
        with self._lock:
            self._stored.append((self._clock(), place, assignment_id, self._commit(place, next_offset, ledger)))

    def replicated_until(self, moment: float) -> None:
        """Enough replicas have what was stored before `moment` (of the clock)."""
        with self._lock:
            self._replicated_until = moment

    def committable(self, assignment_ids: Mapping[Partition, int]) -> dict[Partition, Commit]:
        """See `Offsets`."""
        with self._lock:
            limit = min(self._clock() - self._delay_s, self._replicated_until)
            while self._stored and self._stored[0][0] <= limit:
                _, place, assignment_id, commit = self._stored.popleft()
                self._ripe[place] = (assignment_id, commit)
            # An offset of a partition that has gone to another consumer would set back the other one's commits.
            self._ripe = {place: ripe for place, ripe in self._ripe.items() if assignment_ids.get(place) == ripe[0]}
            return {
                place: commit
                for place, (_, commit) in self._ripe.items()
                if self._committed.get(place) != commit.offset
            }

    def committed(self, place: Partition, commit: Commit) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed[place] = commit.offset

    def restart_at(self, place: Partition, start: StartPosition, ledger: str, known: int | None) -> StartPosition:
        """See `Offsets`.

        An older state of the same ledger goes on where it stands. Another one gets what was not committed; to bring
        back more than that is an operator's decision.
        """
        if ledger == start.ledger:
            return again(start, ledger, start.first_offset if known is None else known, known, start.first_offset)
        with self._lock:
            offset = self._committed.get(place, start.offset)
        return again(start, ledger, offset, known, offset)

    def on_revoked(self, place: Partition) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed.pop(place, None)

    def refresh(self, ask: Unfinished) -> None:
        """See `Offsets`. What the ledger has may be committed, finished or not."""

    def full(self, records: Sequence[KafkaRecord]) -> Collection[Partition]:
        """See `Offsets`. Its commits hold no more than a number each."""
        return ()

    def _commit(self, place: Partition, offset: int, ledger: str) -> Commit:
        start = self._starts.get(place)
        first, partitions = (offset, 0) if start is None else (start.first_offset, start.initial_partitions)
        metadata = CommitMetadata(ledger, first, partitions)
        return Commit(offset, metadata.text(offset))


def again(
    start: StartPosition,
    ledger: str,
    offset: int,
    known: int | None,
    first_offset: int,
    finished: OffsetSet = (),
    why: str = "committed",
) -> StartPosition:
    """The start for reading again from `offset`; `why` tells of offsets that the ledger misses and does not get."""
    skipped = {f"{why}_before": offset - known} if known is not None and known < offset else {}
    partitions = start.initial_partitions
    return StartPosition(offset, "read_again", known, first_offset, finished, partitions, ledger, skipped, commit=True)

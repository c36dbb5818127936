"""Commits for a ledger that does not last: the lowest unfinished offset, and the finished ones above in its metadata.

Two promises hold at every moment, whichever commit Kafka had last when ledger and ingest were killed:

- *Nothing unfinished lies below a commit.* Whoever reads the partition next, with an empty ledger, begins at the commit
  and so reads all that is unfinished.
- *Nothing that a commit calls finished is done again.* The next reader leaves out the offsets in its metadata.

What was finished after the last commit is done once more. To keep the first promise an offset counts as finished only
if the ledger was asked after it had been stored, and as long as that is the ledger it was stored in. To keep the second
the metadata must fit into a commit, so a partition whose set of finished offsets may grow too large is *full*: nothing
more of it is stored until some of it is finished (`find_full`).
"""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingest.kafka.commit_metadata import CommitMetadata, parse
from ingest.kafka.offset_set import complement, drop_below, fits, join
from ingest.kafka.offsets import Commit, ReadUnfinished, restart_from
from ingest.kafka.record import KafkaRecord, Partition
from ingest.kafka.start_position import StartPosition


@dataclass(slots=True)
class _AssignedPartition:
    """One partition in one assignment."""

    assignment_id: int
    start: StartPosition
    next: int
    """The ledger has all from the start up to here."""
    commit: Commit | None = None
    """What may be committed now."""
    max_unfinished: int = 0
    """How many of those may be unfinished: those that were when the ledger was asked, and all stored since."""
    lowest: int = 0
    """The lowest of them when the ledger was asked; the metadata says what is finished above it."""
    ledgers: set[str] = field(default_factory=set)
    """Where they were stored: names of ledgers. More than one if it was replaced meanwhile."""


def _has_room(assigned: _AssignedPartition, offsets: Sequence[int]) -> bool:
    """Whether the metadata will fit when these offsets are stored too, whichever of all are then finished first."""
    end = max(offsets[-1] + 1, *(next for _, next in assigned.start.finished), 0)
    holes = assigned.max_unfinished + len(offsets) + len(assigned.start.finished)
    return fits(holes, end - assigned.lowest)


class FinishedOffsets:
    """What may be committed of each partition: see the module. Implements `Offsets`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._assigned: dict[Partition, _AssignedPartition] = {}
        self._committed: dict[Partition, Commit] = {}

    def on_assigned(self, partition: Partition, assignment_id: int, start: StartPosition) -> None:
        """See `Offsets`."""
        with self._lock:
            assigned = _AssignedPartition(assignment_id, start, start.offset, lowest=start.offset)
            if start.commit:
                self._committed.pop(partition, None)
                assigned.commit = self._make_commit(assigned, start.ledger, ())
            self._assigned[partition] = assigned

    def on_stored(self, partition: Partition, assignment_id: int, next_offset: int, ledger: str) -> None:
        """See `Offsets`."""
        with self._lock:
            assigned = self._assigned.get(partition)
            if assigned is not None and assigned.assignment_id == assignment_id:
                # Until the ledger is asked, each of them may be unfinished.
                assigned.max_unfinished += max(0, next_offset - assigned.next)
                assigned.next = max(assigned.next, next_offset)
                assigned.ledgers.add(ledger)

    def refresh(self, read_unfinished: ReadUnfinished) -> None:
        """See `Offsets`."""
        with self._lock:
            partitions = [partition for partition, assigned in self._assigned.items() if assigned.ledgers]
        if not partitions:
            return
        ledger, unfinished = read_unfinished(partitions)
        with self._lock:
            for partition in partitions:
                assigned = self._assigned.get(partition)
                # A ledger that replaced the one that was filled knows none of it, and so calls none of it unfinished.
                # Its next answer to a batch is a rewind, after which the partition is read again.
                if assigned is not None and assigned.ledgers == {ledger}:
                    assigned.commit = self._make_commit(assigned, ledger, unfinished[partition])

    def find_full(self, records: Sequence[KafkaRecord]) -> set[Partition]:
        """See `Offsets`."""
        offsets: defaultdict[Partition, list[int]] = defaultdict(list)
        for record in records:
            offsets[record.topic_partition].append(record.offset)
        with self._lock:
            return {
                partition
                for partition, assigned in self._assigned.items()
                if partition in offsets and assigned.max_unfinished and not _has_room(assigned, offsets[partition])
            }

    def committable(self, assignment_ids: Mapping[Partition, int]) -> dict[Partition, Commit]:
        """See `Offsets`."""
        with self._lock:
            return {
                partition: assigned.commit
                for partition, assigned in self._assigned.items()
                if assigned.commit is not None
                and assignment_ids.get(partition) == assigned.assignment_id
                and self._committed.get(partition) != assigned.commit
            }

    def on_committed(self, partition: Partition, commit: Commit) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed[partition] = commit

    def restart_at(
        self, partition: Partition, start: StartPosition, ledger: str, ledger_next: int | None
    ) -> StartPosition:
        """See `Offsets`. All below the last confirmed commit is finished, so reading begins there.

        Before the first commit nothing is known to be finished: reading begins where it did before, or where the same
        ledger stands if it only lost its end.
        """
        with self._lock:
            commit = self._committed.get(partition)
        metadata = None if commit is None else parse(commit.metadata, commit.offset)
        if commit is None or metadata is None:
            offset = start.offset if ledger_next is None or ledger != start.ledger else ledger_next
            return restart_from(start, ledger, offset, ledger_next, start.first_offset, start.finished, "finished")
        return restart_from(
            start, ledger, commit.offset, ledger_next, metadata.first_offset, metadata.finished or (), "finished"
        )

    def on_revoked(self, partition: Partition) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed.pop(partition, None)
            self._assigned.pop(partition, None)

    def _make_commit(self, assigned: _AssignedPartition, ledger: str, unfinished: Sequence[int]) -> Commit:
        start = assigned.start
        # The ledger may know of more: of another assignment, or stored since `next` was noted.
        holes = [offset for offset in unfinished if start.offset <= offset < assigned.next]
        assigned.max_unfinished = len(holes)
        assigned.lowest = lowest = holes[0] if holes else assigned.next
        # Of what was finished before this assignment: what lies ahead still is, what was read since is in the ledger.
        before = drop_below(start.finished, assigned.next)
        finished = join([*complement(lowest, assigned.next, holes), *before])
        if finished and finished[0][0] == lowest:
            lowest = finished[0][1]
            finished = finished[1:]
        metadata = CommitMetadata(ledger, start.first_offset, start.initial_partitions, finished)
        return Commit(lowest, metadata.text(lowest))

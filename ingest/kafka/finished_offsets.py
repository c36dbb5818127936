"""Commits for a ledger that does not last: the lowest unfinished offset, and the finished ones above in its metadata.

Whoever reads the partition next, with an empty ledger, begins at the commit and leaves out what the mark names. So
nothing that is unfinished is ever below a commit, and nothing that was finished and committed is done again.
"""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingest.kafka.commit_metadata import CommitMetadata, parse
from ingest.kafka.offset_set import above, complement, fits, joined
from ingest.kafka.offsets import Commit, Unfinished, again
from ingest.kafka.record import KafkaRecord, Partition
from ingest.kafka.start_position import StartPosition


@dataclass(slots=True)
class _Reading:
    """One partition in one assignment."""

    assignment_id: int
    start: StartPosition
    next: int
    commit: Commit | None = None
    holes: int = 0
    lowest: int = 0
    stored_in: set[str] = field(default_factory=set)


def _fits(reading: _Reading, offsets: Sequence[int]) -> bool:
    last = max(offsets[-1] + 1, *(next for _, next in reading.start.finished), 0)
    return fits(reading.holes + len(offsets) + len(reading.start.finished), last - reading.lowest)


class FinishedOffsets:
    """What may be committed of each partition: see the module. Implements `Offsets`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings: dict[Partition, _Reading] = {}
        self._committed: dict[Partition, Commit] = {}

    def on_assigned(self, place: Partition, assignment_id: int, start: StartPosition) -> None:
        """See `Offsets`."""
        with self._lock:
            reading = _Reading(assignment_id, start, start.offset, lowest=start.offset)
            if start.commit:
                self._committed.pop(place, None)
                reading.commit = self._commit(reading, start.ledger, ())
            self._readings[place] = reading

    def stored(self, place: Partition, assignment_id: int, next_offset: int, ledger: str) -> None:
        """See `Offsets`."""
        with self._lock:
            reading = self._readings.get(place)
            if reading is not None and reading.assignment_id == assignment_id:
                # Until the next look, each of them may be unfinished.
                reading.holes += max(0, next_offset - reading.next)
                reading.next = max(reading.next, next_offset)
                reading.stored_in.add(ledger)

    def refresh(self, ask: Unfinished) -> None:
        """See `Offsets`."""
        with self._lock:
            places = [place for place, reading in self._readings.items() if reading.stored_in]
        if not places:
            return
        ledger, unfinished = ask(places)
        with self._lock:
            for place in places:
                reading = self._readings.get(place)
                # Another ledger than the one that was filled knows nothing of it; the rewind is on its way.
                if reading is not None and reading.stored_in == {ledger}:
                    reading.commit = self._commit(reading, ledger, unfinished[place])

    def full(self, records: Sequence[KafkaRecord]) -> set[Partition]:
        """See `Offsets`."""
        offsets: defaultdict[Partition, list[int]] = defaultdict(list)
        for record in records:
            offsets[record.topic_partition].append(record.offset)
        with self._lock:
            return {
                place
                for place, reading in self._readings.items()
                if place in offsets and reading.holes and not _fits(reading, offsets[place])
            }

    def committable(self, assignment_ids: Mapping[Partition, int]) -> dict[Partition, Commit]:
        """See `Offsets`."""
        with self._lock:
            return {
                place: reading.commit
                for place, reading in self._readings.items()
                if reading.commit is not None
                and assignment_ids.get(place) == reading.assignment_id
                and self._committed.get(place) != reading.commit
            }

    def committed(self, place: Partition, commit: Commit) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed[place] = commit

    def restart_at(self, place: Partition, start: StartPosition, ledger: str, known: int | None) -> StartPosition:
        """See `Offsets`. All below the commit is finished, so nothing of it is read again."""
        with self._lock:
            commit = self._committed.get(place)
        metadata = None if commit is None else parse(commit.metadata, commit.offset)
        if commit is None or metadata is None:
            offset = start.offset if known is None or ledger != start.ledger else known
            return again(start, ledger, offset, known, start.first_offset, start.finished, "finished")
        return again(start, ledger, commit.offset, known, metadata.first_offset, metadata.finished or (), "finished")

    def on_revoked(self, place: Partition) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed.pop(place, None)
            self._readings.pop(place, None)

    def _commit(self, reading: _Reading, ledger: str, unfinished: Sequence[int]) -> Commit:
        start = reading.start
        holes = [offset for offset in unfinished if start.offset <= offset < reading.next]
        reading.holes = len(holes)
        reading.lowest = lowest = holes[0] if holes else reading.next
        # What was finished before and lies ahead still is; that between is read again in its turn.
        finished = joined([*complement(lowest, reading.next, holes), *above(start.finished, reading.next)])
        if finished and finished[0][0] == lowest:
            lowest = finished[0][1]
            finished = finished[1:]
        metadata = CommitMetadata(ledger, start.first_offset, start.initial_partitions, finished)
        return Commit(lowest, metadata.text(lowest))

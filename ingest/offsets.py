"""Which offsets may be committed: those the ledger has had for longer than Redis needs to write to disk.

A commit that trails the ledger is what makes a lost second of Redis harmless: Kafka still counts those messages as
unread. So nothing here is ever ready early, not on revocation and not at shutdown; the next consumer reads a few
seconds again, and the ledger recognises the repeats.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from ingest.intervals import Intervals
from ingest.mark import Mark
from ingest.record import Partition
from ingest.start import Start


class Commit(NamedTuple):
    """An offset to commit, and the mark that goes with it."""

    offset: int
    mark: str


class Offsets(Protocol):
    """What may be committed, by one rule or another. Thread safe."""

    def began(self, place: Partition, epoch: int, start: Start) -> None:
        """`place` is read in this epoch, beginning there."""

    def stored(self, place: Partition, epoch: int, next_offset: int, ledger: str) -> None:
        """`ledger` has all of `place` below `next_offset`, read in that epoch of it."""

    def ripe(self, epochs: Mapping[Partition, int]) -> dict[Partition, Commit]:
        """What to commit now, not yet confirmed, and read under a present epoch.

        A commit is returned again until `committed` confirms it, so one that failed needs no care.
        """

    def committed(self, place: Partition, commit: Commit) -> None:
        """Kafka has confirmed this commit."""

    def again(self, place: Partition, start: Start, ledger: str, known: int | None) -> Start:
        """Where to read `place` again, which was begun with `start`, because `ledger` only has it up to `known`."""

    def forget(self, place: Partition) -> None:
        """`place` was revoked: others commit it from now on."""


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
        self._starts: dict[Partition, Start] = {}
        self._replicated_until = -math.inf if replicated else math.inf

    def began(self, place: Partition, epoch: int, start: Start) -> None:
        """See `Offsets`."""
        with self._lock:
            self._starts[place] = start
            self._ripe.pop(place, None)
            if start.commit:
                self._committed.pop(place, None)
                self._ripe[place] = (epoch, self._commit(place, start.offset, start.ledger))

    def stored(self, place: Partition, epoch: int, next_offset: int, ledger: str) -> None:
        """See `Offsets`."""
        with self._lock:
            self._stored.append((self._clock(), place, epoch, self._commit(place, next_offset, ledger)))

    def replicated_until(self, moment: float) -> None:
        """Enough replicas have what was stored before `moment` (of the clock)."""
        with self._lock:
            self._replicated_until = moment

    def ripe(self, epochs: Mapping[Partition, int]) -> dict[Partition, Commit]:
        """See `Offsets`."""
        with self._lock:
            limit = min(self._clock() - self._delay_s, self._replicated_until)
            while self._stored and self._stored[0][0] <= limit:
                _, place, epoch, commit = self._stored.popleft()
                self._ripe[place] = (epoch, commit)
            # An offset of a partition that has gone to another consumer would set back the other one's commits.
            self._ripe = {place: ripe for place, ripe in self._ripe.items() if epochs.get(place) == ripe[0]}
            return {
                place: commit
                for place, (_, commit) in self._ripe.items()
                if self._committed.get(place) != commit.offset
            }

    def committed(self, place: Partition, commit: Commit) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed[place] = commit.offset

    def again(self, place: Partition, start: Start, ledger: str, known: int | None) -> Start:
        """See `Offsets`.

        An older state of the same ledger goes on where it stands. Another one gets what was not committed; to bring
        back more than that is an operator's decision.
        """
        if ledger == start.ledger:
            return again(start, ledger, start.since if known is None else known, known, start.since)
        with self._lock:
            offset = self._committed.get(place, start.offset)
        return again(start, ledger, offset, known, offset)

    def forget(self, place: Partition) -> None:
        """See `Offsets`."""
        with self._lock:
            self._committed.pop(place, None)

    def _commit(self, place: Partition, offset: int, ledger: str) -> Commit:
        start = self._starts.get(place)
        mark = Mark(ledger, offset if start is None else start.since, 0 if start is None else start.of)
        return Commit(offset, mark.text(offset))


def again(
    start: Start,
    ledger: str,
    offset: int,
    known: int | None,
    since: int,
    finished: Intervals = (),
    why: str = "committed",
) -> Start:
    """The start for reading again from `offset`; `why` tells of offsets that the ledger misses and does not get."""
    passed = {f"{why}_before": offset - known} if known is not None and known < offset else {}
    return Start(offset, "read_again", known, since, finished, start.of, ledger, passed, commit=True)

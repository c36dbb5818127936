"""Which offsets may be committed: those the ledger has had for longer than Redis needs to write to disk.

A commit that trails the ledger is what makes a lost second of Redis harmless: Kafka still counts those messages as
unread. So nothing here is ever ready early, not on revocation and not at shutdown; the next consumer reads a few
seconds again, and the ledger recognises the repeats.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from ingest.record import Partition


class TrailingOffsets:
    """Offsets on their way from the ledger to the commit, `delay_s` seconds each. Thread safe."""

    def __init__(self, delay_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._delay_s = delay_s
        self._clock = clock
        self._lock = threading.Lock()
        self._stored: deque[tuple[float, Partition, int, int]] = deque()
        self._ripe: dict[Partition, tuple[int, int]] = {}
        self._committed: dict[Partition, int] = {}

    def stored(self, place: Partition, epoch: int, next_offset: int) -> None:
        """The ledger has all of `place` below `next_offset`, read in that epoch of it."""
        with self._lock:
            self._stored.append((self._clock(), place, epoch, next_offset))

    def ripe(self, epochs: Mapping[Partition, int]) -> dict[Partition, int]:
        """What to commit now: ripened, not yet confirmed, and read under a present epoch.

        An offset is returned again until `committed` confirms it, so a commit that failed needs no care.
        """
        with self._lock:
            limit = self._clock() - self._delay_s
            while self._stored and self._stored[0][0] <= limit:
                _, place, epoch, next_offset = self._stored.popleft()
                self._ripe[place] = (epoch, next_offset)
            # An offset of a partition that has gone to another consumer would set back the other one's commits.
            self._ripe = {place: ripe for place, ripe in self._ripe.items() if epochs.get(place) == ripe[0]}
            return {
                place: next_offset
                for place, (_, next_offset) in self._ripe.items()
                if self._committed.get(place) != next_offset
            }

    def committed(self, place: Partition, next_offset: int) -> None:
        """Kafka has confirmed this commit."""
        with self._lock:
            self._committed[place] = next_offset

    def last_committed(self, place: Partition) -> int | None:
        """The last commit of `place` that was confirmed to this consumer; None if there was none."""
        with self._lock:
            return self._committed.get(place)

    def forget(self, place: Partition) -> None:
        """`place` was revoked: others commit it from now on."""
        with self._lock:
            self._committed.pop(place, None)

"""Whether librdkafka still fetches: from each partition that it was told to read there must come a message, or its end.

After a rebalance that a member slept through, librdkafka was seen to fetch nothing for ever, though it was in the
group, had its partitions and answered questions. Telling it again where to read changed nothing; a new consumer does.
"""

import time
from collections.abc import Callable, Iterable

from ingest.kafka.record import Partition

LONGEST_STEP_S = 2.0
"""So much may pass between two looks; more means that this process stood still, not that Kafka was silent."""


class FetchStallDetector:
    """What was not heard of since it was to be read, and for how long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._checked_at = clock()
        self._silent: dict[Partition, float] = {}

    def expect(self, places: Iterable[Partition]) -> None:
        """These are read from now on, or anew."""
        self._silent |= dict.fromkeys(places, 0.0)

    def heard(self, place: Partition) -> None:
        """A message of it has come, or its end; or it is not ours any more."""
        self._silent.pop(place, None)

    def look(self, listening: bool) -> dict[Partition, float]:
        """How long (s) each has been silent; not `listening`, as while fetching is paused, begins anew."""
        now = self._clock()
        step, self._checked_at = min(now - self._checked_at, LONGEST_STEP_S), now
        self._silent = {place: silent + step if listening else 0.0 for place, silent in self._silent.items()}
        return self._silent

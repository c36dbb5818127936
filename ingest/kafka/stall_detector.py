"""Whether librdkafka still fetches: from each partition that it is to read there must come a message, or its end.

After a rebalance that a member slept through, librdkafka was seen to fetch nothing for ever, though it was in the
group, had its partitions and answered questions. Telling it again where to read changed nothing; a new consumer does.
"""

import time
from collections.abc import Callable, Iterable

from ingest.kafka.record import Partition

MAX_STEP_S = 2.0
"""The most that counts between two calls; more means that this process stood still, not that Kafka was silent."""


class FetchStallDetector:
    """Which partitions sent nothing since they were to be read, and for how long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._checked_at = clock()
        self._silent: dict[Partition, float] = {}

    def expect(self, partitions: Iterable[Partition]) -> None:
        """These are read from now on, or from somewhere else."""
        self._silent |= dict.fromkeys(partitions, 0.0)

    def note(self, partition: Partition) -> None:
        """A message of it has come, or its end; or it is no longer to be read."""
        self._silent.pop(partition, None)

    def measure(self, is_fetching: bool) -> dict[Partition, float]:
        """How long (s) each has been silent. While nothing `is_fetching`, as in a pause, the count is set back to 0."""
        now = self._clock()
        step, self._checked_at = min(now - self._checked_at, MAX_STEP_S), now
        self._silent = {partition: silent + step if is_fetching else 0.0 for partition, silent in self._silent.items()}
        return self._silent

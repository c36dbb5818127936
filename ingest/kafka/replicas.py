"""Holds commits back until replicas of Redis have what was stored (`REDIS_WAIT_REPLICAS`)."""

import time

from ingest.kafka.offsets import TrailingOffsets
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic

log = EventLog(__name__)

EVERY_S = 0.3
TIMEOUT_MS = 1_000
"""How long one question waits for the replicas; it is asked again."""


class Replicas:
    """Tells `offsets` again and again up to when all is replicated."""

    def __init__(self, ledger: Ledger, wanted: int, offsets: TrailingOffsets) -> None:
        self._ledger = ledger
        self._wanted = wanted
        self._offsets = offsets
        self._missing = False
        self._loop = Periodic("wait-for-replicas", EVERY_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def _step(self) -> None:
        asked_at = time.monotonic()
        there = self._ledger.is_replicated(self._wanted, TIMEOUT_MS)
        if there:
            self._offsets.replicated_until(asked_at)
        if there == self._missing:
            self._missing = not there
            if self._missing:
                means = "nothing is committed until they are back"
                log.event(events.REDIS_REPLICAS_LOST, wanted=self._wanted, means=means)
            else:
                log.event(events.REDIS_REPLICAS_RESTORED, wanted=self._wanted)

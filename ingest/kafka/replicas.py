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
    """Tells `offsets`, several times a second, up to when all is replicated."""

    def __init__(self, ledger: Ledger, count: int, offsets: TrailingOffsets) -> None:
        self._ledger = ledger
        self._count = count
        self._offsets = offsets
        self._are_missing = False
        self._loop = Periodic("wait-for-replicas", EVERY_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def _step(self) -> None:
        before_s = time.monotonic()
        are_present = self._ledger.is_replicated(self._count, TIMEOUT_MS)
        if are_present:
            self._offsets.set_replicated_until(before_s)
        if are_present == self._are_missing:
            self._are_missing = not are_present
            if self._are_missing:
                log.event(events.REDIS_REPLICAS_LOST, required=self._count)
            else:
                log.event(events.REDIS_REPLICAS_RESTORED, required=self._count)

"""Holds commits back until replicas of Redis have what was stored (`REDIS_WAIT_REPLICAS`)."""

import threading
import time

import structlog

from ingest.offsets import TrailingOffsets
from longshore.errors import StoreUnavailable
from longshore.store.ledger import Ledger

log = structlog.get_logger(__name__)

EVERY_S = 0.3
TIMEOUT_MS = 1_000
"""How long one question waits for the replicas; it is asked again."""


def watch_replicas(ledger: Ledger, replicas: int, offsets: TrailingOffsets, stop: threading.Event) -> None:
    """Tell `offsets` again and again up to when all is replicated, until `stop`. To be run in a thread of its own."""
    behind = False
    while not stop.wait(EVERY_S):
        asked_at = time.monotonic()
        try:
            there = ledger.replicated(replicas, TIMEOUT_MS)
        except StoreUnavailable:
            continue  # whoever stores finds out, and says so
        if there:
            offsets.replicated_until(asked_at)
        if there == behind:
            behind = not there
            if behind:
                log.warning("store.replicas_missing", wanted=replicas, means="nothing is committed until they are back")
            else:
                log.info("store.replicas_back", wanted=replicas)

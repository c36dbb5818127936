"""Counts per reason, made beside the pages: nobody waits until 100,000 letters are counted.

They are remembered for a moment, the longer the more they cost, so that pages which refresh themselves keep Redis busy
for a tenth of its time at the most.
"""

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as CountTimeout
from dataclasses import dataclass, field

from longshore.ledger.invocations import InvocationReader
from longshore.ledger.scan import Filter

MIN_FRESH_S = 1.0
"""Shorter than the refresh of a page."""

FRESH_FACTOR = 10
"""At least so many times what the counting took."""

MAX_WAIT_S = 0.3
"""How long a page waits for counts that nobody has asked for before."""

_MAX_FILTERS = 100

ReasonCounts = Counter[tuple[str, str]]


@dataclass(slots=True)
class _CacheEntry:
    counts: ReasonCounts | None = None
    fresh_until: float = 0.0
    running: "Future[None] | None" = field(default=None)


class CachedCounts:
    """Thread safe."""

    def __init__(self, invocations: InvocationReader) -> None:
        self._invocations = invocations
        self._lock = threading.Lock()
        self._entries: dict[Filter, _CacheEntry] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="counts")

    def get(self, filter: Filter) -> ReasonCounts | None:
        """(state, reason) → how many, a moment ago; None while they are counted for the first time.

        Raises StoreUnavailable where the first count does.
        """
        with self._lock:
            if filter not in self._entries and len(self._entries) >= _MAX_FILTERS:
                self._entries.clear()
            entry = self._entries.setdefault(filter, _CacheEntry())
            if time.monotonic() >= entry.fresh_until and (entry.running is None or entry.running.done()):
                entry.running = self._thread.submit(self._refresh, filter, entry)
            running = entry.running
        if running is not None:
            try:
                running.result(MAX_WAIT_S)
            except CountTimeout:
                pass  # what was counted before is still good to look at
        return entry.counts

    def close(self) -> None:
        """Counts no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _refresh(self, filter: Filter, entry: _CacheEntry) -> None:
        began_at = time.monotonic()
        entry.counts = self._invocations.count(filter)
        duration_s = time.monotonic() - began_at
        entry.fresh_until = time.monotonic() + max(MIN_FRESH_S, FRESH_FACTOR * duration_s)

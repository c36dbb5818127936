"""Counts per reason, made beside the pages: nobody waits until 100,000 letters are counted.

They are remembered for a moment, the longer the more they cost, so that pages which refresh themselves keep Redis busy
for a tenth of its time at the most.
"""

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillCounting
from dataclasses import dataclass, field

from longshore.ledger.invocations import InvocationReader
from longshore.ledger.scan import Filter

FRESH_S = 1.0
"""Shorter than the refresh of a page."""

FRESH_TIMES = 10
"""At least so many times what the counting took."""

PATIENCE_S = 0.3
"""How long a page waits for counts that nobody has asked for before."""

_MOST = 100

Counted = Counter[tuple[str, str]]


@dataclass(slots=True)
class _Count:
    counted: Counted | None = None
    fresh_until: float = 0.0
    running: "Future[None] | None" = field(default=None)


class Counts:
    """Thread safe."""

    def __init__(self, letters: InvocationReader) -> None:
        self._letters = letters
        self._lock = threading.Lock()
        self._known: dict[Filter, _Count] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="counts")

    def of(self, wanted: Filter) -> Counted | None:
        """(state, reason) → how many, a moment ago; None while they are counted for the first time.

        Raises StoreUnavailable where the first count does.
        """
        with self._lock:
            if wanted not in self._known and len(self._known) >= _MOST:
                self._known.clear()
            count = self._known.setdefault(wanted, _Count())
            if time.monotonic() >= count.fresh_until and (count.running is None or count.running.done()):
                count.running = self._thread.submit(self._count, wanted, count)
            running = count.running
        if running is not None:
            try:
                running.result(PATIENCE_S)
            except StillCounting:
                pass  # what was counted before is still good to look at
        return count.counted

    def close(self) -> None:
        """Counts no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _count(self, wanted: Filter, count: _Count) -> None:
        began = time.monotonic()
        count.counted = self._letters.count(wanted)
        took = time.monotonic() - began
        count.fresh_until = time.monotonic() + max(FRESH_S, FRESH_TIMES * took)

"""Counts per reason, remembered for a moment: a page that refreshes itself does not count 100,000 letters each time."""

import threading
import time
from collections import Counter

from longshore.store.letters import Filter
from longshore.store.pages import Pages

FRESH_S = 2.0
"""Shorter than the refresh of a page. Counting 100,000 takes a good tenth of that in Redis, in small steps."""

_MOST = 200


class Counts:
    """Thread safe."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._lock = threading.Lock()
        self._known: dict[Filter, tuple[float, Counter[tuple[str, str]]]] = {}

    def of(self, wanted: Filter) -> Counter[tuple[str, str]]:
        """(state, reason) → how many, a moment ago; see `Pages.count`."""
        with self._lock:
            known = self._known.get(wanted)
        if known is not None and time.monotonic() < known[0] + FRESH_S:
            return known[1]
        counts = self._pages.count(wanted)
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[wanted] = time.monotonic(), counts
        return counts

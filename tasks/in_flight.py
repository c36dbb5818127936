"""The attempts this process has begun: which leases to renew, and what a drain has to wait for."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from longshore.store.entry import Begun


class InFlight:
    """Attempts under way. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[tuple[str, int], tuple[float, Begun]] = {}

    @contextmanager
    def attempt(self, begun: Begun, longest_s: float) -> Iterator[None]:
        """Holds `begun` as under way; after `longest_s` its lease is no longer renewed, so nothing lives for ever."""
        with self._lock:
            self._until[begun.id, begun.token] = (time.monotonic() + longest_s, begun)
        try:
            yield
        finally:
            with self._lock:
                del self._until[begun.id, begun.token]

    def renewable(self) -> list[tuple[str, int]]:
        """Id and token of the attempts within their time."""
        now = time.monotonic()
        with self._lock:
            return [attempt for attempt, (until, _) in self._until.items() if now < until]

    def all(self) -> list[Begun]:
        """Every attempt under way."""
        with self._lock:
            return [begun for _, begun in self._until.values()]

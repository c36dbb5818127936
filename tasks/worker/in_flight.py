"""The attempts this process has begun: which leases to renew, and what a drain has to wait for."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from longshore.store.entry import Begun


class InFlight:
    """Attempts under way. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[tuple[str, int], tuple[float, Begun]] = {}
        self._known: dict[tuple[str, int], Callable[[], object]] = {}

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
                self._known.pop((begun.id, begun.token), None)

    def answered(self, begun: Begun, store: Callable[[], object]) -> None:
        """What came of `begun` is known, and only to be stored: however long Redis is away, it does not hang.

        `store` does that; it may be called again by somebody else, at the same time too.
        """
        with self._lock:
            if (begun.id, begun.token) in self._until:
                self._known[begun.id, begun.token] = store

    def unstored(self, begun: Begun) -> Callable[[], object] | None:
        """What stores the end of `begun`; None if nobody knows yet how it ends."""
        with self._lock:
            return self._known.get((begun.id, begun.token))

    def hung(self) -> list[Begun]:
        """Attempts far beyond their deadline: their threads are lost, as nothing can stop a thread."""
        now = time.monotonic()
        with self._lock:
            return [
                begun for attempt, (until, begun) in self._until.items() if now >= until and attempt not in self._known
            ]

    def waited_for(self) -> bool:
        """Whether anything is under way that may still end."""
        return len(self.all()) > len(self.hung())

    def renewable(self) -> list[tuple[str, int]]:
        """Id and token of the attempts within their time."""
        now = time.monotonic()
        with self._lock:
            return [attempt for attempt, (until, _) in self._until.items() if now < until]

    def all(self) -> list[Begun]:
        """Every attempt under way."""
        with self._lock:
            return [begun for _, begun in self._until.values()]

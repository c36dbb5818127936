"""The attempts this process has begun: which leases to renew, and what a drain has to wait for."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from longshore.ledger.entry import StartedAttempt


class InFlight:
    """Attempts under way. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: dict[tuple[str, int], tuple[float, StartedAttempt]] = {}
        self._stores: dict[tuple[str, int], Callable[[], object]] = {}

    @contextmanager
    def attempt(self, begun: StartedAttempt, longest_s: float) -> Iterator[None]:
        """Holds `begun` as under way; after `longest_s` its lease is no longer renewed, so nothing lives for ever."""
        with self._lock:
            self._attempts[begun.id, begun.token] = (time.monotonic() + longest_s, begun)
        try:
            yield
        finally:
            with self._lock:
                del self._attempts[begun.id, begun.token]
                self._stores.pop((begun.id, begun.token), None)

    def keep_store(self, begun: StartedAttempt, store: Callable[[], object]) -> None:
        """The result of `begun` is known, and `store` stores it: however long Redis is away, it does not hang.

        A drain may call `store` too, even at the same time.
        """
        with self._lock:
            if (begun.id, begun.token) in self._attempts:
                self._stores[begun.id, begun.token] = store

    def store_of(self, begun: StartedAttempt) -> Callable[[], object] | None:
        """What stores the result of `begun`; None if nobody knows it yet."""
        with self._lock:
            return self._stores.get((begun.id, begun.token))

    def hung(self) -> list[StartedAttempt]:
        """Attempts far beyond their deadline: their threads are lost, as nothing can stop a thread."""
        now = time.monotonic()
        with self._lock:
            return [begun for key, (until, begun) in self._attempts.items() if now >= until and key not in self._stores]

    def any_in_time(self) -> bool:
        """Whether an attempt is under way that may still end by itself."""
        return len(self.all()) > len(self.hung())

    def renewable(self) -> list[tuple[str, int]]:
        """Id and token of the attempts within their time."""
        now = time.monotonic()
        with self._lock:
            return [key for key, (until, _) in self._attempts.items() if now < until]

    def all(self) -> list[StartedAttempt]:
        """Every attempt under way."""
        with self._lock:
            return [begun for _, begun in self._attempts.values()]

"""The attempts under way in this process: which leases to renew, and what a drain has to wait for."""

import threading
import time
from collections.abc import Callable

from longshore.ledger.entry import StartedAttempt


class InFlight:
    """Attempts under way. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: dict[tuple[str, int], tuple[float, StartedAttempt]] = {}
        self._stores: dict[tuple[str, int], Callable[[], object]] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def add(self, attempt: StartedAttempt, max_duration_s: float) -> None:
        """`attempt` is under way. After `max_duration_s` its lease is not renewed: nothing lives for ever."""
        with self._lock:
            self._attempts[attempt.id, attempt.token] = (time.monotonic() + max_duration_s, attempt)

    def remove(self, attempt: StartedAttempt) -> None:
        """`attempt` has ended, and the ledger has it; or nothing more can be done for it here."""
        with self._lock:
            self._attempts.pop((attempt.id, attempt.token), None)
            self._stores.pop((attempt.id, attempt.token), None)

    def set_store(self, attempt: StartedAttempt, store: Callable[[], object]) -> None:
        """The result of `attempt` is known, and `store` stores it: however long Redis is away, it does not hang.

        A drain may call `store` too, even at the same time.
        """
        with self._lock:
            if (attempt.id, attempt.token) in self._attempts:
                self._stores[attempt.id, attempt.token] = store

    def find_store(self, attempt: StartedAttempt) -> Callable[[], object] | None:
        """What stores the result of `attempt`; None if nobody knows it yet."""
        with self._lock:
            return self._stores.get((attempt.id, attempt.token))

    def hung(self) -> list[StartedAttempt]:
        """Attempts far beyond their deadline: their slots are lost, as nothing can stop a thread."""
        now = time.monotonic()
        with self._lock:
            return [
                attempt for key, (until, attempt) in self._attempts.items() if now >= until and key not in self._stores
            ]

    def any_in_time(self) -> bool:
        """Whether an attempt is under way that may still end by itself."""
        return len(self) > len(self.hung())

    def renewable(self) -> list[tuple[str, int]]:
        """Id and token of the attempts within their time."""
        now = time.monotonic()
        with self._lock:
            return [key for key, (deadline, _) in self._attempts.items() if now < deadline]

    def all(self) -> list[StartedAttempt]:
        """Every attempt under way."""
        with self._lock:
            return [attempt for _, attempt in self._attempts.values()]

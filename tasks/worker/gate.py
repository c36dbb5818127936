"""A bound on how much is between two points of the pipeline."""

import threading


class Gate:
    """Lets a limited number through at a time. Thread safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = limit
        self._awaited: list[int] = []
        """How many free places each waiting thread needs: it is not woken for fewer."""
        self._changed = threading.Condition()

    def enter(self, max_count: int, timeout_s: float, min_count: int = 1) -> int:
        """Takes up to `max_count` places once `min_count` are free. Returns how many; 0 if too few are free in time."""
        with self._changed:
            if not self._wait(min_count, timeout_s):
                return 0
            count = min(self._free, max_count)
            self._free -= count
            return count

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits to enter."""
        return bool(self._awaited)

    def leave(self, count: int = 1) -> None:
        """Gives `count` places back."""
        if count:
            with self._changed:
                self._free += count
                if self._awaited and self._free >= min(self._awaited):
                    self._changed.notify_all()

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Waits until all have left. False if some have not in time."""
        with self._changed:
            return self._wait(self._limit, timeout_s)

    def _wait(self, count: int, timeout_s: float) -> bool:
        self._awaited.append(count)
        try:
            return self._changed.wait_for(lambda: self._free >= count, timeout_s)
        finally:
            self._awaited.remove(count)

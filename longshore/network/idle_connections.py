"""What a pool of `urllib3` keeps idle: the last one given back is the first to be taken.

In place of `queue.LifoQueue`, which takes three locks and wakes nobody for each of both, and which `urllib3` fills with
as many placeholders as it may hold connections: with hundreds, a new origin costs more than the requests to it.
"""

import queue
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class IdleConnections:
    """Up to `maxsize` connections; by any number of threads at once, as what is done to a list here is atomic."""

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._idle: list[Any] = []

    def get(self, block: bool = False, timeout: float | None = None) -> Any:
        """The last one put in; never waits. Raises `queue.Empty`, upon which a pool opens another connection."""
        try:
            return self._idle.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, conn: Any, block: bool = False) -> None:
        """Keep `conn`; None, a placeholder, is not kept. Raises `queue.Full`, upon which a pool closes it."""
        if conn is None:
            return
        if len(self._idle) >= self._maxsize:
            raise queue.Full
        self._idle.append(conn)

    def take_oldest(self, is_wanted: Callable[[Any], bool]) -> Any:
        """The one that was put in first, if it is wanted, else None; whoever closes one must have taken it before."""
        try:
            if not is_wanted(self._idle[0]):
                return None
            conn = self._idle.pop(0)
        except IndexError:
            return None
        if is_wanted(conn):
            return conn
        self._idle.insert(0, conn)  # others have taken the one that was looked at
        return None

    def close_all(self) -> None:
        """None of them is to carry another request."""
        while self._idle:
            with suppress(queue.Empty):  # others have taken the last one
                self.get().close()

    def qsize(self) -> int:
        """How many there are."""
        return len(self._idle)

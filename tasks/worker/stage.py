"""A stage: a thread that works on whatever has arrived, all of it at once.

While a batch is worked on, the next one collects; so a lone item waits for nothing. Where much is on its way, batches
may be given a moment to grow (`gather_s`), as each costs a round trip.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from longshore.periodic import Periodic

T = TypeVar("T")

IDLE_S = 1.0
"""How long a thread waits for work before it shows that it lives."""


class Stage(Generic[T]):
    """Calls `work` with batches of up to `max_items`, in the order in which they were put."""

    def __init__(
        self, name: str, work: Callable[[list[T]], None], max_items: int, gather_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`work` raises nothing that concerns its items: what it does not deal with is lost.

        `gather_s` says for how long to wait for more before each batch.
        """
        self._gather_s = gather_s
        self._work = work
        self._max_items = max_items
        self._queue: SimpleQueue[T | None] = SimpleQueue()
        self._loop = Periodic(name, 0, self._step)
        self.start = self._loop.start

    def put(self, item: T) -> None:
        """Hands over one item."""
        self._queue.put(item)

    def __len__(self) -> int:
        return self._queue.qsize()

    def stop(self) -> None:
        """Works on what was put so far, and ends."""
        self._loop.stop(0)
        self._queue.put(None)  # so that it does not wait for more
        self._loop.stop()
        while not self._queue.empty():
            self._step()

    def _step(self) -> float | None:
        batch: list[T] = []
        try:
            item = self._queue.get(timeout=IDLE_S)
            if pause_s := self._gather_s():
                self._loop.stopping.wait(pause_s)
            while item is not None:
                batch.append(item)
                if len(batch) >= self._max_items:
                    break
                item = self._queue.get_nowait()
        except Empty:
            pass
        if batch:
            self._work(batch)
        return None

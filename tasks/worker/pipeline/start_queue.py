"""Claims that were received, each until the start that its target's rate gives it."""

import heapq
import itertools
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from tasks.worker.pipeline.received_claim import ReceivedClaim

MAX_WAIT_MS = 1_000.0
"""A claim's start is never further ahead, unless a clock jumped."""


class StartQueue:
    """Put by any thread, taken by one."""

    def __init__(self, now_ms: Callable[[], float]) -> None:
        """`now_ms` is Redis's time, in which the starts are given."""
        self._now_ms = now_ms
        self._arrivals: SimpleQueue[Sequence[ReceivedClaim]] = SimpleQueue()
        self._due: list[tuple[float, int, ReceivedClaim]] = []
        self._order = itertools.count()  # claims of one start stay in their order

    def put(self, claims: Sequence[ReceivedClaim]) -> None:
        """Adds claims; none wakes whoever waits."""
        self._arrivals.put(claims)

    def take(self, max_count: int, timeout_s: float) -> list[ReceivedClaim]:
        """Up to `max_count` claims that may start now; waits for the first, up to `timeout_s`. May be empty."""
        self._collect(min(timeout_s, self._seconds_until_first()))
        now_ms = self._now_ms()
        claims: list[ReceivedClaim] = []
        while self._due and len(claims) < max_count and self._due[0][0] <= now_ms:
            claims.append(heapq.heappop(self._due)[2])
        return claims

    def take_all(self) -> list[ReceivedClaim]:
        """Everything, due or not."""
        self._collect(0)
        claims = [claim for _, _, claim in self._due]
        self._due.clear()
        return claims

    def _seconds_until_first(self) -> float:
        return max(0.0, (self._due[0][0] - self._now_ms()) / 1000) if self._due else float("inf")

    def _collect(self, timeout_s: float) -> None:
        """Takes in what has arrived; waits for the first of it."""
        try:
            claims = self._arrivals.get(timeout=timeout_s) if timeout_s > 0 else self._arrivals.get_nowait()
            while True:
                latest_ms = self._now_ms() + MAX_WAIT_MS
                for received in claims:
                    start_ms = min(received.claim.start_ms, latest_ms)
                    heapq.heappush(self._due, (start_ms, next(self._order), received))
                claims = self._arrivals.get_nowait()
        except Empty:
            return

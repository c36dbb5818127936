"""Where claims come in: they wait for their starts, and are prepared and begun batch after batch.

One thread does that at a time. If a batch is stuck (an expression that takes as long as it may, a large message), the
next one does not wait for it. What is lost with the process are claims, whose leases lapse.
"""

import threading
from collections.abc import Sequence
from functools import partial

from longshore.periodic import Periodic
from tasks.worker.gate import Gate
from tasks.worker.pipeline.claim_release import ClaimRelease
from tasks.worker.pipeline.prepare import Prepare
from tasks.worker.pipeline.received_claim import ReceivedClaim
from tasks.worker.pipeline.start_queue import StartQueue
from tasks.worker.redis_clock import RedisClock
from tasks.worker.shutdown import Shutdown
from tasks.worker.stage import IDLE_S
from tasks.worker.thread_pool import STUCK_S, ThreadPool

MAX_BATCH = 50
"""Claims that are prepared together."""

MAX_BATCHES = 4
"""Batches that are prepared at once, all but one of them stuck."""

_STOP_S = 10.0  # for the batches at the end; then their leases lapse


class Arrivals:
    """Takes claims as they are received, and has them prepared."""

    def __init__(self, prepare: Prepare, release: ClaimRelease, clock: RedisClock, shutdown: Shutdown) -> None:
        self._prepare = prepare
        self._release = release
        self._shutdown = shutdown
        self._queue = StartQueue(clock.now_ms)
        self._pool = ThreadPool(MAX_BATCHES, at_work=1, name="prepare")
        self._room = Gate(MAX_BATCHES)
        self._loop = Periodic("arrivals", 0, self._step)
        self.put = self._queue.put

    def start(self) -> None:
        """Starts its threads."""
        self._pool.start()
        self._loop.start()

    def stop(self) -> None:
        """Ends, and gives back what has not begun."""
        self._loop.stop(0)
        self._queue.put(())  # so that it does not wait for more
        self._loop.stop()
        self._release.give_back(self._queue.take_all())
        self._room.wait_until_empty(_STOP_S)
        self._pool.stop()

    def _step(self) -> float | None:
        if not self._room.enter(1, IDLE_S):
            return None
        claims = self._queue.take(MAX_BATCH, IDLE_S)
        if self._shutdown.draining.is_set():
            self._room.leave()
            self._release.give_back([*claims, *self._queue.take_all()])
            return None
        if not claims:
            self._room.leave()
            return None
        done = threading.Event()
        self._pool.submit(partial(self._work, claims, done))
        # What comes meanwhile is one batch. One that only waits for its requests to be sent is not stuck.
        while not done.wait(STUCK_S) and self._prepare.begin.is_waiting:
            self._loop.turn()
        return None

    def _work(self, claims: Sequence[ReceivedClaim], done: threading.Event) -> None:
        try:
            self._prepare.prepare_all(claims)
        finally:
            self._room.leave()
            done.set()

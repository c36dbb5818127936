"""What a worker must still store while Redis is away: again and again, as only this process knows it.

A process that dies meanwhile leaves leases: that of an attempt lapses to its unknown-outcome policy, that of a claim is
handed out again.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from longshore.errors import StoreUnavailable
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.faults import only
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.in_flight import InFlight
from tasks.worker.shutdown import Shutdown
from tasks.worker.worker_metrics import WorkerMetrics

log = EventLog(__name__)

_T = TypeVar("_T")

_PAUSES_S = (0.1, 0.2, 0.5, 1, 2)  # quick at first; then every two seconds until Redis is back


@dataclass(frozen=True)
class StoreRetry:
    """Repeats commands to the ledger until Redis has taken them. One for all threads of a worker process."""

    ledger: Ledger
    in_flight: InFlight
    shutdown: Shutdown
    metrics: WorkerMetrics

    def until_stored(self, attempt: StartedAttempt, store: Callable[[], _T]) -> _T:
        """Calls `store`, which stores the end of `attempt`, until Redis has it; returns what it returned.

        A drain may call `store` at the same time; the ledger takes the end of a token once.
        """
        self.in_flight.set_store(attempt, store)
        tries = 0
        while True:
            try:
                return store()
            except StoreUnavailable as error:
                if tries == 0:
                    self.metrics.count_redis_wait()
                    log.event(events.DELIVERY_RESULT_STORE_RETRIED, run_id=attempt.run, error=str(error))
            time.sleep(_pause_s(tries))
            tries += 1

    def release(self, id: str, token: int) -> None:
        """Gives a claim back until Redis has it, or the process ends: then the lease lapses."""
        for tries in itertools.count():
            try:
                is_released = only(self.ledger.release([(id, token)]))
            except StoreUnavailable as error:
                if tries == 0:
                    log.event(events.DELIVERY_START_FAILED, id=id, error=str(error))
                if self.shutdown.draining.wait(_pause_s(tries)):
                    return
            else:
                log.event(events.DELIVERY_RELEASED, id=id, given=is_released)
                return


def _pause_s(tries: int) -> float:
    return _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]

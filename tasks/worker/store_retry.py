"""What a worker must still do in the ledger while Redis is away: again and again, as only this process knows it.

A process that dies meanwhile leaves leases: that of an attempt lapses to its unknown-outcome policy, that of a claim is
handed out again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from longshore.errors import StoreUnavailable
from longshore.log.event_log import Event, EventLog
from tasks.worker.shutdown import Shutdown
from tasks.worker.worker_metrics import WorkerMetrics

log = EventLog(__name__)

_T = TypeVar("_T")

_PAUSES_S = (0.1, 0.2, 0.5, 1, 2)  # quick at first; then every two seconds until Redis is back


@dataclass(frozen=True)
class StoreRetry:
    """Repeats calls of the ledger until Redis has taken them. One for all threads of a worker process."""

    shutdown: Shutdown
    metrics: WorkerMetrics

    def until_stored(self, call: Callable[[], _T], event: Event, **fields: object) -> _T:
        """What `call` returns, once Redis has taken it. `event` is logged when it has not at first."""
        tries = 0
        while True:
            try:
                return call()
            except StoreUnavailable as error:
                if tries == 0:
                    self.metrics.count_redis_wait()
                    log.event(event, error=str(error), **fields)
            time.sleep(_pause_s(tries))
            tries += 1

    def until_draining(self, call: Callable[[], _T], event: Event, **fields: object) -> _T | None:
        """The same; but None if the process drains and Redis is away: then leases lapse, and others go on."""
        tries = 0
        while True:
            try:
                return call()
            except StoreUnavailable as error:
                if tries == 0:
                    log.event(event, error=str(error), **fields)
            if self.shutdown.draining.wait(_pause_s(tries)):
                return None
            tries += 1


def _pause_s(tries: int) -> float:
    return _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]

"""How a worker ends: nothing new begins, what is under way ends, what cannot end in time is parked as unknown."""

import os
import threading
import time
from collections.abc import Callable

from longshore.errors import LongshoreError, place_of
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.in_flight import InFlight
from tasks.worker.result_builder import ResultBuilder
from tasks.worker.shutdown import DRAINED, Shutdown

log = EventLog(__name__)

_PARK_TRIES = 3  # a connection that a restart of Redis broke may show that only when it is used


class Drain:
    """Watches over the end of a worker process, in a thread started by SIGTERM."""

    def __init__(
        self,
        shutdown: Shutdown,
        ledger: Ledger,
        results: ResultBuilder,
        in_flight: InFlight,
        grace_s: float,
        withdraw: Callable[[], None],
        send_reports: Callable[[], None],
    ) -> None:
        """`withdraw` offers no more slots; `send_reports` is called last if threads are left that must be cut off."""
        self._shutdown = shutdown
        self._ledger = ledger
        self._results = results
        self._in_flight = in_flight
        self._grace_s = grace_s
        self._withdraw = withdraw
        self._send_reports = send_reports
        self._thread = threading.Thread(target=self._watch, name="drain", daemon=True)

    def start(self) -> None:
        """Called from the signal handler, so it only starts the thread. Further calls change nothing."""
        if not self._shutdown.draining.is_set():
            self._shutdown.draining.set()
            self._thread.start()

    def wait(self) -> None:
        """Until nothing is under way any more. Where something is left after the grace, this process ends meanwhile."""
        self._thread.join()

    def _watch(self) -> None:
        deadline = time.monotonic() + self._grace_s
        log.event(events.WORKER_DRAINING, in_flight=len(self._in_flight), grace_s=self._grace_s)
        try:
            self._withdraw()
        except Exception as error:  # the slots lapse with the lease
            log.event(events.WORKER_WITHDRAW_FAILED, error=_text_of(error))
        while self._in_flight.any_in_time() and time.monotonic() < deadline:
            time.sleep(0.05)
        if attempts := self._in_flight.all():
            self._park(attempts)
            self._send_reports()
            # Threads cannot be stopped; every attempt under way has its outcome stored.
            os._exit(self._shutdown.exit_code)

    def _park(self, attempts: list[StartedAttempt]) -> None:
        for tries_left in reversed(range(_PARK_TRIES)):
            attempts = [attempt for attempt in attempts if not self._try_park(attempt, is_last=not tries_left)]

    def _try_park(self, attempt: StartedAttempt, is_last: bool) -> bool:
        try:
            self._store_end(attempt)
        except Exception as error:
            if is_last:  # its lease lapses to the same end
                log.event(events.WORKER_PARK_FAILED, run_id=attempt.id, error=_text_of(error))
            return False
        return True

    def _store_end(self, attempt: StartedAttempt) -> None:
        """Stores how `attempt` ended where that is known and only Redis was away; otherwise that nobody knows."""
        if store := self._in_flight.find_store(attempt):
            store()
            log.event(events.WORKER_RESULT_STORED, run_id=attempt.id)
            return
        end = self._results.build_interrupted(attempt, DRAINED, "the worker had to stop before the target answered")
        (state,) = self._ledger.finish([(attempt, end)], max_claims=0).states
        log.event(events.WORKER_PARKED, run_id=attempt.id, state=state, reason=DRAINED)


def _text_of(error: Exception) -> str:
    return str(error) if isinstance(error, LongshoreError) else f"{type(error).__name__} at {place_of(error)}"

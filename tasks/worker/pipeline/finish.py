"""The last stage: ends are stored, many in one call, and what was claimed in their place is published.

What is lost with the process before the call is under way; after it, the claims: their leases lapse like any.
"""

from collections.abc import Callable, Sequence

from longshore.errors import place_of
from longshore.ledger.entry import Claim, StartedAttempt
from longshore.ledger.faults import LedgerFault
from longshore.ledger.ledger import FINISH_CLAIMS, MAX_ENDS, Ledger
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.attempt_result import DEFERRED, Answer, Completion, Deferral, StoredResult
from tasks.worker.in_flight import InFlight
from tasks.worker.pipeline.attempts import EndedAttempt
from tasks.worker.redis_clock import RedisClock
from tasks.worker.result_builder import ResultBuilder
from tasks.worker.shutdown import Shutdown
from tasks.worker.stage import Stage
from tasks.worker.store_retry import StoreRetry
from tasks.worker.worker_metrics import WorkerMetrics

log = EventLog(__name__)

BUSY_IN_FLIGHT = 8
"""With so many attempts under way, more of them end in a moment; few that wait for each other are not held up."""

_GATHER_S = 0.02

Publish = Callable[[Sequence[Claim], int], None]
"""Gets claims, and how many workers the fleet has."""


class Finish:
    """Stores how attempts have ended, and publishes what may start in their place."""

    def __init__(
        self,
        ledger: Ledger,
        results: ResultBuilder,
        publish: Publish,
        reports_stored: Callable[[], None],
        in_flight: InFlight,
        store_retry: StoreRetry,
        clock: RedisClock,
        shutdown: Shutdown,
        metrics: WorkerMetrics,
    ) -> None:
        self._ledger = ledger
        self._results = results
        self._publish = publish
        self._reports_stored = reports_stored
        self._in_flight = in_flight
        self._store_retry = store_retry
        self._clock = clock
        self._shutdown = shutdown
        self._metrics = metrics
        self._stage = Stage("finish", self._work, MAX_ENDS, self._gather_s)
        self.start, self.stop = self._stage.start, self._stage.stop

    def _gather_s(self) -> float:
        return _GATHER_S if len(self._in_flight) >= BUSY_IN_FLIGHT else 0.0

    def put(self, ended: EndedAttempt) -> None:
        """Stores the end of an attempt. From here on a drain may store it, too; the ledger takes it once."""
        if isinstance(ended.result, Completion):
            end = ended.result.end
            self._in_flight.set_store(ended.attempt, lambda: self._ledger.finish([(ended.attempt, end)], 0))
        self._stage.put(ended)

    def keep_answer(self, attempt: StartedAttempt, answer: Answer) -> None:
        """The target has answered: from here on a drain may store that, without waiting for the rest of the result."""
        self._in_flight.set_store(attempt, lambda: self._finish_early(attempt, answer))

    def _finish_early(self, attempt: StartedAttempt, answer: Answer) -> None:
        end = self._results.build_outcome_only(attempt, answer, "the worker had to stop")
        self._ledger.finish([(attempt, end)], 0)

    def _work(self, batch: list[EndedAttempt]) -> None:
        try:
            completed = [(each, each.result) for each in batch if isinstance(each.result, Completion)]
            if completed:
                self._store(completed)
            for each in batch:
                if isinstance(each.result, Deferral):
                    self._defer(each, each.result)
        except Exception as error:  # a fault of ours: what is not stored lapses, and costs no slot until then
            ids = [each.attempt.id for each in batch]
            log.event(events.DELIVERY_CRASHED, ids=ids, error=type(error).__name__, at=place_of(error))
            for each in batch:
                self._in_flight.remove(each.attempt)
                each.received.ended(None)

    def _store(self, batch: Sequence[tuple[EndedAttempt, Completion]]) -> None:
        ends = [(ended.attempt, completion.end) for ended, completion in batch]
        # A worker that drains leaves it to others to hand out what may start in their place.
        stored = self._store_retry.until_stored(
            lambda: self._ledger.finish(ends, 0 if self._shutdown.draining.is_set() else max(FINISH_CLAIMS, len(ends))),
            events.DELIVERY_RESULT_STORE_RETRIED,
            ids=[attempt.id for attempt, _ in ends],
        )
        self._publish(stored.claims, stored.workers)
        if any(end.reports for _, end in ends):
            self._reports_stored()
        now_ms = self._clock.now_ms()
        for (ended, completion), state in zip(batch, stored.states, strict=True):
            self._end(ended, completion, state, now_ms)

    def _end(self, ended: EndedAttempt, completion: Completion, state: str | LedgerFault, now_ms: float) -> None:
        attempt = ended.attempt
        self._in_flight.remove(attempt)
        if isinstance(state, LedgerFault):  # of one record; its lease lapses
            log.event(events.DELIVERY_RECORD_BROKEN, id=attempt.id, error=str(state), sent=True)
            ended.received.ended(None)
            return
        self._metrics.count_end(attempt, completion.end, state, now_ms)
        if state != completion.end.result:
            log.event(events.DELIVERY_RESULT_SUPERSEDED, run_id=attempt.run, result=completion.end.result, state=state)
        ended.received.ended(StoredResult(state, completion.summary))

    def _defer(self, ended: EndedAttempt, deferral: Deferral) -> None:
        self._store_retry.until_stored(
            lambda: self._ledger.defer(ended.attempt, deferral.target, deferral.lane),
            events.DELIVERY_RESULT_STORE_RETRIED,
            ids=[ended.attempt.id],
        )
        self._metrics.count_deferral()
        self._in_flight.remove(ended.attempt)
        ended.received.ended(StoredResult(DEFERRED, deferral.summary))

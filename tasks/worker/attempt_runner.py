"""One attempt of a claim, from begin to publish. Knows nothing of Celery.

    wait → begin → build → send → classify → complete → finish → publish

`begin`, `end` and `publish` are here; what lies between needs no ledger and is in attempt_executor.py, so that it
can be made in another process too. What a crash leaves behind:

- before `begin`: a claim. Nothing was sent; its lease lapses and any pump hands it out again.
- from `begin` to `end`: `attempt`. The request may have left, so its lease lapses to the unknown-outcome policy.
- from `end` to `publish`: the result is stored, and the claims that were handed out in its place lapse like any.

tests/faults kills a worker at each of them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from longshore.errors import StoreUnavailable
from longshore.ledger.entry import AttemptEnd, Claim, StartedAttempt
from longshore.ledger.faults import only
from longshore.ledger.ledger import FINISH_CLAIMS, Ledger
from longshore.ledger.record import UnknownFormat
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.attempt_executor import AttemptExecutor
from tasks.worker.attempt_result import DEFERRED, Answer, AttemptResult, Completion, Deferral, StoredResult
from tasks.worker.delivery_settings import AttemptDeadlines
from tasks.worker.in_flight import InFlight
from tasks.worker.isolation.runner import IsolationRunner
from tasks.worker.redis_clock import RedisClock
from tasks.worker.result_builder import ResultBuilder
from tasks.worker.shutdown import Shutdown
from tasks.worker.store_retry import StoreRetry
from tasks.worker.worker_metrics import WorkerMetrics

log = EventLog(__name__)

_RELEASE_PAUSE_MS = 5_000
"""After which a claim is handed out again that came to a worker which cannot read it: usually to another one."""

_MAX_START_WAIT_S = 1.0  # a claim's start is never further ahead, unless a clock jumped


@dataclass(frozen=True)
class AttemptRunner:
    """Runs attempts. One for all threads of a worker process."""

    ledger: Ledger
    executor: AttemptExecutor
    isolation: IsolationRunner
    results: ResultBuilder
    in_flight: InFlight
    deadlines: AttemptDeadlines
    publish: Callable[[tuple[Claim, ...]], None]
    """Takes the claims for which an ended attempt made room."""
    store_retry: StoreRetry
    clock: RedisClock
    shutdown: Shutdown
    metrics: WorkerMetrics

    def run(self, id: str, token: int, start_ms: int) -> StoredResult | None:
        """One attempt for a claim. None: the claim is stale, or the worker drains; nothing was sent.

        Raises `StoreUnavailable` only where nothing was sent.
        """
        self._wait_until(start_ms)
        if self.shutdown.draining.is_set():
            self.ledger.release([(id, token)])
            return None
        attempt = self._begin(id, token)
        if attempt is None:
            return None
        with self.in_flight.track(attempt, self.deadlines.max_duration_s(attempt)):
            return self._store(attempt, self._execute(attempt))

    def release(self, id: str, token: int, reason: str) -> None:
        """Leaves a claim to other workers, without an attempt. Raises `StoreUnavailable`: then its lease lapses."""
        log.event(events.DELIVERY_DECLINED, id=id, reason=reason)
        self.ledger.release([(id, token)], _RELEASE_PAUSE_MS)

    def _wait_until(self, start_ms: int) -> None:
        """Sleeps until the start that the target's rate gave this claim; a clock jump cannot make it long."""
        left_s = (start_ms - self.clock.now_ms()) / 1000
        if left_s > 0:
            time.sleep(min(left_s, _MAX_START_WAIT_S))

    def _begin(self, id: str, token: int) -> StartedAttempt | None:
        """Loads the claim's record and takes the claim. None: it is not ours (any more), and nothing was sent."""
        first_ms = None
        try:
            attempt = only(self.ledger.load([(id, token)]))
            if attempt is not None:
                first_ms = only(self.ledger.begin([(id, token)]))
        except StoreUnavailable:
            # It may have begun, and only the reply was lost: left so, it would end as unknown, though never sent.
            self.store_retry.release(id, token)
            return None
        except UnknownFormat as error:
            self.release(id, token, str(error))
            return None
        if attempt is None or first_ms is None:
            log.event(events.DELIVERY_MESSAGE_OUTDATED, id=id, token=token)
            return None
        return replace(attempt, first_ms=first_ms)

    def _execute(self, attempt: StartedAttempt) -> AttemptResult:
        """Build, send, classify and complete: here, or in a process of its own if workers died at it."""
        if attempt.deaths >= self.ledger.limits.suspect:
            return self.isolation.execute(attempt, self.deadlines.max_duration_s(attempt))

        def on_answer(answer: Answer) -> None:
            """From here on a drain may store the end without waiting until its result is complete."""
            self.in_flight.set_store(attempt, lambda: self._finish_early(attempt, answer))

        return self.executor.execute(attempt, on_answer)

    def _store(self, attempt: StartedAttempt, result: AttemptResult) -> StoredResult:
        """Stores the result, then publishes what was claimed in its place."""
        match result:
            case Deferral(target, lane, summary):
                self.store_retry.until_stored(attempt, lambda: self.ledger.defer(attempt, target, lane))
                return StoredResult(DEFERRED, summary)
            case Completion(end, summary):
                state, claims = self.store_retry.until_stored(attempt, lambda: self._finish(attempt, end))
                self.publish(claims)
                self.metrics.count_end(attempt, end, state, self.clock.now_ms())
                if state != end.result:
                    log.event(events.DELIVERY_RESULT_SUPERSEDED, run_id=attempt.run, result=end.result, state=state)
                return StoredResult(state, summary)

    def _finish(self, attempt: StartedAttempt, end: AttemptEnd) -> tuple[str, tuple[Claim, ...]]:
        """Stores `end`; a worker that drains leaves it to others to hand out what may start in its place."""
        result = self.ledger.finish([(attempt, end)], 0 if self.shutdown.draining.is_set() else FINISH_CLAIMS)
        return only(result.states), result.claims

    def _finish_early(self, attempt: StartedAttempt, answer: Answer) -> tuple[str, tuple[Claim, ...]]:
        return self._finish(attempt, self.results.build_outcome_only(attempt, answer, "the worker had to stop"))

"""One attempt of a claim, from begin to publish. Knows nothing of Celery.

    wait → begin → build → send → classify → complete → finish → publish

`begin`, `finish` and `publish` are here; what lies between needs no ledger and is in attempt_executor.py, so that it
can be made in another process too. What a crash leaves behind:

- before `begin`: a claim. Nothing was sent; its lease lapses and any pump hands it out again.
- from `begin` to `finish`: `begun`. The request may have left, so its lease lapses to the unknown-outcome policy.
- from `finish` to `publish`: the result is stored, and the claims that were handed out in its place lapse like any.

tests/faults kills a worker at each of them.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from longshore.errors import StoreUnavailable
from longshore.ledger.entry import AttemptEnd, Claim, StartedAttempt
from longshore.ledger.ledger import IN_PLACE, Ledger
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
from tasks.worker.worker_metrics import WorkerMetrics

log = EventLog(__name__)

_T = TypeVar("_T")

_RELEASE_PAUSE_MS = 5_000
"""After which a claim is handed out again that came to a worker which cannot read it: usually to another one."""

_STORE_PAUSES_S = (0.1, 0.2, 0.5, 1, 2)  # quick at first; then every two seconds until Redis is back
_LONGEST_START_WAIT_S = 1.0  # a claim's start is never further ahead, unless a clock jumped


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
    clock: RedisClock
    shutdown: Shutdown
    metrics: WorkerMetrics

    def run(self, id: str, token: int, start_ms: int) -> StoredResult | None:
        """One attempt for a claim. None: the claim is stale, or the worker drains; nothing was sent.

        Raises `StoreUnavailable` only where nothing was sent.
        """
        self._wait_until(start_ms)
        if self.shutdown.begun.is_set():
            self.ledger.release(id, token)
            return None
        begun = self._begin(id, token)
        if begun is None:
            return None
        with self.in_flight.attempt(begun, self.deadlines.longest_s(begun)):
            return self._store(begun, self._execute(begun))

    def release(self, id: str, token: int, reason: str) -> None:
        """Leaves a claim to other workers, without an attempt. Raises `StoreUnavailable`: then its lease lapses."""
        log.event(events.DELIVERY_DECLINED, id=id, reason=reason)
        self.ledger.release(id, token, _RELEASE_PAUSE_MS)

    def _wait_until(self, start_ms: int) -> None:
        """Sleeps until the start that the target's rate gave this claim; a clock jump cannot make it long."""
        left_s = (start_ms - self.clock.now_ms()) / 1000
        if left_s > 0:
            time.sleep(min(left_s, _LONGEST_START_WAIT_S))

    def _begin(self, id: str, token: int) -> StartedAttempt | None:
        """Takes the claim and loads its record in one script. None: it is not ours (any more), and nothing was sent."""
        try:
            begun = self.ledger.begin(id, token)
        except StoreUnavailable:
            # It may have begun, and only the reply was lost: left so, it would end as unknown, though never sent.
            self._release_until_stored(id, token)
            return None
        except UnknownFormat as error:
            self.release(id, token, str(error))
            return None
        if begun is None:
            log.event(events.DELIVERY_MESSAGE_OUTDATED, id=id, token=token)
        return begun

    def _execute(self, begun: StartedAttempt) -> AttemptResult:
        """Build, send, classify and complete: here, or in a process of its own if workers died at it."""
        if begun.deaths >= self.ledger.limits.suspect:
            return self.isolation.execute(begun, self.deadlines.longest_s(begun))

        def on_answer(answer: Answer) -> None:
            """From here on a drain may store the end without waiting until its result is complete."""
            self.in_flight.keep_store(begun, lambda: self._finish_early(begun, answer))

        return self.executor.execute(begun, on_answer)

    def _store(self, begun: StartedAttempt, result: AttemptResult) -> StoredResult:
        """Stores the result, then publishes what was claimed in its place."""
        match result:
            case Deferral(target, lane, summary):
                self._until_stored(begun, lambda: self.ledger.defer(begun, target, lane))
                return StoredResult(DEFERRED, summary)
            case Completion(finish, summary):
                state, claims = self._until_stored(begun, lambda: self._finish(begun, finish))
                self.publish(claims)
                self.metrics.ended(begun, finish, state, self.clock.now_ms())
                if state != finish.result:
                    log.event(events.DELIVERY_RESULT_SUPERSEDED, run_id=begun.run, result=finish.result, state=state)
                return StoredResult(state, summary)

    def _finish(self, begun: StartedAttempt, finish: AttemptEnd) -> tuple[str, tuple[Claim, ...]]:
        """Stores `finish`; a worker that drains leaves it to others to hand out what may start in its place."""
        return self.ledger.finish(begun.id, begun.token, finish, 0 if self.shutdown.begun.is_set() else IN_PLACE)

    def _finish_early(self, begun: StartedAttempt, answer: Answer) -> tuple[str, tuple[Claim, ...]]:
        return self._finish(begun, self.results.outcome_only(begun, answer, "the worker had to stop"))

    def _until_stored(self, begun: StartedAttempt, store: Callable[[], _T]) -> _T:
        """`store`, again and again until Redis has it: only this process knows what came of the attempt.

        A drain may call `store` at the same time; the ledger takes the end of a token once.
        """
        self.in_flight.keep_store(begun, store)
        tries = 0
        while True:
            try:
                return store()
            except StoreUnavailable as error:
                if tries == 0:
                    self.metrics.waits_for_redis()
                    log.event(events.DELIVERY_RESULT_STORE_RETRIED, run_id=begun.run, error=str(error))
            time.sleep(_pause_s(tries))
            tries += 1

    def _release_until_stored(self, id: str, token: int) -> None:
        """Gives a claim back until Redis has it, or the process ends: then the lease lapses."""
        for tries in itertools.count():
            try:
                released = self.ledger.release(id, token)
            except StoreUnavailable as error:
                if tries == 0:
                    log.event(events.DELIVERY_START_FAILED, id=id, error=str(error))
                if self.shutdown.begun.wait(_pause_s(tries)):
                    return
            else:
                log.event(events.DELIVERY_RELEASED, id=id, given=released)
                return


def _pause_s(tries: int) -> float:
    return _STORE_PAUSES_S[min(tries, len(_STORE_PAUSES_S) - 1)]

"""The third stage: requests are sent and their responses read, each on its own.

What is lost with the process may have been acted on: its lease lapses to its unknown-outcome policy.
"""

from collections.abc import Callable
from functools import partial

from longshore.delivery.exchange import Exchange
from longshore.delivery.request_builder import BuiltRequest
from tasks.worker.attempt_exchange import AttemptExchange
from tasks.worker.isolation.runner import IsolationRunner
from tasks.worker.pipeline.attempts import EndedAttempt, PreparedAttempt
from tasks.worker.pipeline.finish import Finish
from tasks.worker.pipeline.response_waiter import ResponseWaiter
from tasks.worker.thread_pool import ThreadPool

LINGER_S = 0.002
"""A quick response is waited for by the thread that has sent the request: handing it over costs more than that."""

MAX_MISSES = 8
"""After so many responses in a row that were not quick, only one of as many is waited for: threads are few."""


class Send:
    """Makes the requests of attempts that have begun, and hands their ends to `finish`."""

    def __init__(
        self,
        isolation: IsolationRunner,
        finish: Finish,
        pool: ThreadPool,
    ) -> None:
        self._isolation = isolation
        self._finish = finish
        self._pool = pool
        self._waiter = ResponseWaiter()
        self._misses = 0
        """Responses in a row that were not quick. Counted by several threads at once: it need not be exact."""

    def start(self) -> None:
        """Starts its threads."""
        self._pool.start()
        self._waiter.start()

    def stop(self) -> None:
        """Ends them; nothing is under way any more."""
        self._waiter.stop()
        self._pool.stop()

    def put(self, prepared: PreparedAttempt, taken_up: Callable[[], None]) -> None:
        """Sends `prepared`, which has begun; `taken_up` is called once a thread does."""
        self._pool.submit(partial(self._take_up, prepared, taken_up))

    def _take_up(self, prepared: PreparedAttempt, taken_up: Callable[[], None]) -> None:
        taken_up()
        attempt, request, executor = prepared.attempt, prepared.request, prepared.executor
        if request is None:
            with self._pool.blocking():
                result = self._isolation.execute(attempt, executor.mapping.content, executor.max_duration_s(attempt))
            self._finish.put(EndedAttempt(prepared.received, attempt, result))
        elif isinstance(request, BuiltRequest):
            on_answer = partial(self._finish.keep_answer, attempt)
            self._advance(prepared, AttemptExchange(executor, attempt, request, on_answer), timed_out=False)
        else:
            self._finish.put(EndedAttempt(prepared.received, attempt, request))

    def _advance(self, prepared: PreparedAttempt, exchange: AttemptExchange, timed_out: bool) -> None:
        result = exchange.advance(timed_out=timed_out, polled=True)
        while result is None and exchange.exchange is not None and self._linger(exchange.exchange):
            result = exchange.advance(polled=True)
        if result is not None:
            self._finish.put(EndedAttempt(prepared.received, prepared.attempt, result))
        elif exchange.exchange is not None:
            self._waiter.wait(exchange.exchange, partial(self._resume, prepared, exchange))

    def _linger(self, exchange: Exchange) -> bool:
        """Waits a moment for a response, if that pays; whether it is there."""
        if self._misses >= MAX_MISSES and self._misses % MAX_MISSES:
            self._misses += 1
            return False
        is_quick = exchange.wait(LINGER_S)
        self._misses = 0 if is_quick else self._misses + 1
        return is_quick

    def _resume(self, prepared: PreparedAttempt, exchange: AttemptExchange, timed_out: bool) -> None:
        self._pool.submit(partial(self._advance, prepared, exchange, timed_out))

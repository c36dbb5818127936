"""The way of a claim through a worker process. Knows nothing of Celery.

    receive → wait for its start → load → build → authorize → begin → send
        → wait for the response → complete → finish → publish

Each stage works on batches (stage.py) but for sending, where each request is on its own. What a crash leaves behind:

- before `begin`: a claim. Nothing was sent; its lease lapses and any pump hands it out again.
- from `begin` to `finish`: an attempt. The request may have left, so its lease lapses to the unknown-outcome policy;
  at most `MAX_UNSENT` of them had not been started to send.
- from `finish` to `publish`: results are stored, and the claims that were handed out in their place lapse like any.

tests/faults kills a worker at each of them.
"""

from collections.abc import Callable, Sequence

from config.mapping_file import PerMapping
from longshore.ledger.ledger import Ledger
from tasks.worker.attempt_executor import AttemptExecutor
from tasks.worker.in_flight import InFlight
from tasks.worker.isolation.runner import IsolationRunner
from tasks.worker.pipeline.arrivals import Arrivals
from tasks.worker.pipeline.authorize import Authorize
from tasks.worker.pipeline.begin import Begin
from tasks.worker.pipeline.claim_release import ClaimRelease
from tasks.worker.pipeline.finish import Finish, Publish
from tasks.worker.pipeline.prepare import Prepare
from tasks.worker.pipeline.received_claim import ReceivedClaim
from tasks.worker.pipeline.send import Send
from tasks.worker.redis_clock import RedisClock
from tasks.worker.result_builder import ResultBuilder
from tasks.worker.shutdown import Shutdown
from tasks.worker.store_retry import StoreRetry
from tasks.worker.thread_pool import ThreadPool
from tasks.worker.worker_metrics import WorkerMetrics


class Pipeline:
    """The stages of a worker process, each built from the one behind it."""

    def __init__(
        self,
        ledger: Ledger,
        executors: PerMapping[AttemptExecutor],
        isolation: IsolationRunner,
        results: ResultBuilder,
        in_flight: InFlight,
        pool: ThreadPool,
        publish: Publish,
        reports_stored: Callable[[], None],
        clock: RedisClock,
        shutdown: Shutdown,
        metrics: WorkerMetrics,
    ) -> None:
        """`reports_stored` is called when the ends of attempts brought reports for Port."""
        store_retry = StoreRetry(shutdown, metrics)
        release = ClaimRelease(ledger, store_retry)
        self._finish = Finish(
            ledger, results, publish, reports_stored, in_flight, store_retry, clock, shutdown, metrics
        )
        self._send = Send(isolation, self._finish, pool)
        begin = Begin(ledger, self._send.put, release, in_flight, shutdown)
        self._authorize = Authorize(begin, release)
        prepare = Prepare(ledger, executors, self._authorize, release, store_retry)
        self._arrivals = Arrivals(prepare, release, clock, shutdown)

    def start(self) -> None:
        """Starts the stages, the last one first."""
        for stage in (self._finish, self._send, self._arrivals):
            stage.start()

    def receive(self, claims: Sequence[ReceivedClaim]) -> None:
        """Makes an attempt for each of `claims`, not before its start. Returns at once; from any thread."""
        self._arrivals.put(claims)

    def stop(self) -> None:
        """Gives back what has not begun, stores what has ended, and ends. A drain has waited for what was under way."""
        for stage in (self._arrivals, self._authorize, self._send, self._finish):
            stage.stop()

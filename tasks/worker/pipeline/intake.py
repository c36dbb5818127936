"""The first stage: claims whose time has come are loaded and their requests built, before any of them begins.

Nothing is changed here. What is lost with the process are claims: nothing was sent, and their leases lapse.
"""

from collections.abc import Sequence

from longshore.errors import place_of
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.faults import LedgerFault
from longshore.ledger.ledger import Ledger
from longshore.ledger.record import READS, UnknownFormat
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic
from tasks.worker.attempt_executor import AttemptExecutor
from tasks.worker.pipeline.attempts import PreparedAttempt
from tasks.worker.pipeline.begin import Begin
from tasks.worker.pipeline.claim_release import ClaimRelease
from tasks.worker.pipeline.received_claim import ReceivedClaim
from tasks.worker.pipeline.start_queue import StartQueue
from tasks.worker.redis_clock import RedisClock
from tasks.worker.shutdown import Shutdown
from tasks.worker.stage import IDLE_S
from tasks.worker.store_retry import StoreRetry

log = EventLog(__name__)

MAX_BATCH = 50
"""Claims that are loaded at once."""

_UNREADABLE_PAUSE_MS = 5_000
"""After which a claim is handed out again that came to a worker which cannot read it: usually to another one."""


class Intake:
    """Takes claims as they are received, and has prepared attempts begin before it takes more."""

    def __init__(
        self,
        ledger: Ledger,
        executor: AttemptExecutor,
        begin: Begin,
        release: ClaimRelease,
        store_retry: StoreRetry,
        clock: RedisClock,
        shutdown: Shutdown,
    ) -> None:
        self._ledger = ledger
        self._executor = executor
        self._begin = begin
        self._release = release
        self._store_retry = store_retry
        self._shutdown = shutdown
        self._queue = StartQueue(clock.now_ms)
        self._loop = Periodic("intake", 0, self._step)
        self.put, self.start = self._queue.put, self._loop.start

    def stop(self) -> None:
        """Ends, and gives back what has not begun."""
        self._loop.stop(0)
        self._queue.put(())  # so that it does not wait for more
        self._loop.stop()
        self._release.give_back(self._queue.take_all())

    def _step(self) -> float | None:
        claims: Sequence[ReceivedClaim] = self._queue.take(MAX_BATCH, IDLE_S)
        if self._shutdown.draining.is_set():
            self._release.give_back([*claims, *self._queue.take_all()])
            return None
        if unreadable := [received for received in claims if received.claim.format not in READS]:
            claims = [received for received in claims if received.claim.format in READS]
            self._decline(unreadable, "its message is of another version")
        while claims:
            claims = self._prepare(claims)
        return None

    def _prepare(self, claims: Sequence[ReceivedClaim]) -> Sequence[ReceivedClaim]:
        """Loads the first of `claims`, as many as one call gives; returns the others."""
        pairs = [(received.claim.id, received.claim.token) for received in claims]
        try:
            loaded = self._store_retry.until_draining(lambda: self._ledger.load(pairs), events.DELIVERY_START_FAILED)
            if loaded is None:  # Redis is away and the process ends: their leases lapse
                self._drop(claims)
                return ()
            readable = [
                (received, attempt)
                for received, attempt in zip(claims, loaded, strict=False)
                if isinstance(attempt, StartedAttempt)
            ]
            prepared = self._build(readable)
        except Exception as error:  # a fault of ours; the leases lapse, and they come again
            log.event(events.DELIVERY_CRASHED, claims=len(claims), error=type(error).__name__, at=place_of(error))
            self._drop(claims)
            return ()
        for received, problem in zip(claims, loaded, strict=False):
            if not isinstance(problem, StartedAttempt):
                self._refuse(received, problem)
        self._begin.begin_all(prepared)
        return claims[len(loaded) :]

    def _build(self, readable: Sequence[tuple[ReceivedClaim, StartedAttempt]]) -> list[PreparedAttempt]:
        prepared, received_together, together = [], [], []
        for received, attempt in readable:
            if received.is_revoked:
                prepared.append(PreparedAttempt(received, attempt, self._executor.revoke(attempt)))
            elif attempt.deaths >= self._ledger.limits.suspect:
                # What was under way when several workers died is not even looked at here.
                prepared.append(PreparedAttempt(received, attempt, None))
            else:
                received_together.append(received)
                together.append(attempt)
        requests = self._executor.build(together)
        return [*map(PreparedAttempt, received_together, together, requests), *prepared]

    def _refuse(self, received: ReceivedClaim, problem: UnknownFormat | LedgerFault | None) -> None:
        """Lets go of a claim that cannot begin here."""
        claim = received.claim
        if isinstance(problem, UnknownFormat):
            self._decline([received], str(problem))
            return
        if problem is None:
            log.event(events.DELIVERY_MESSAGE_OUTDATED, id=claim.id, token=claim.token)
        else:  # of one record; its lease lapses, and it comes again
            log.event(events.DELIVERY_RECORD_BROKEN, id=claim.id, error=str(problem))
        received.ended(None)

    def _decline(self, unreadable: Sequence[ReceivedClaim], reason: str) -> None:
        for received in unreadable:
            log.event(events.DELIVERY_DECLINED, id=received.claim.id, reason=reason)
        self._release.give_back(unreadable, _UNREADABLE_PAUSE_MS)

    def _drop(self, claims: Sequence[ReceivedClaim]) -> None:
        for received in claims:
            received.ended(None)

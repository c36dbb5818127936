"""The first step of a batch: its claims are loaded and their requests built, before any of them begins.

Nothing is changed here. What is lost with the process are claims: nothing was sent, and their leases lapse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

from config.mapping_file import PerMapping
from longshore.errors import place_of
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.faults import LedgerFault
from longshore.ledger.ledger import Ledger
from longshore.ledger.record import READS, UnknownFormat
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.attempt_executor import AttemptExecutor
from tasks.worker.pipeline.attempts import PreparedAttempt
from tasks.worker.pipeline.authorize import Authorize
from tasks.worker.pipeline.claim_release import ClaimRelease
from tasks.worker.pipeline.received_claim import ReceivedClaim
from tasks.worker.store_retry import StoreRetry

log = EventLog(__name__)

LARGE_BYTES = 16_384
"""A sealed, compressed message above this takes tens of milliseconds to build; the others do not wait for it."""

_UNREADABLE_PAUSE_MS = 5_000
"""After which a claim is handed out again that came to a worker which cannot read it: usually to another one."""

_Loaded = tuple[ReceivedClaim, StartedAttempt]


@dataclass(frozen=True)
class Prepare:
    """Prepares claims and has them begin. For any number of threads, each with a batch of its own."""

    ledger: Ledger
    executors: PerMapping[AttemptExecutor]
    begin: Authorize
    release: ClaimRelease
    store_retry: StoreRetry

    def prepare_all(self, claims: Sequence[ReceivedClaim]) -> None:
        """Takes `claims` to their end here: they begin, go back, or are let go of. Raises nothing."""
        if unreadable := [received for received in claims if received.claim.format not in READS]:
            claims = [received for received in claims if received.claim.format in READS]
            self._decline(unreadable, "its message is of another version")
        while claims:
            claims = self._load(claims)

    def _load(self, claims: Sequence[ReceivedClaim]) -> Sequence[ReceivedClaim]:
        """Loads the first of `claims`, as many as one call gives, and goes on with them; returns the others."""
        pairs = [(received.claim.id, received.claim.token) for received in claims]
        try:
            loaded = self.store_retry.until_draining(
                lambda: self.ledger.load(pairs), events.DELIVERY_START_FAILED, ids=[id for id, _ in pairs]
            )
        except Exception as error:
            _drop(claims, error)
            return ()
        if loaded is None:  # Redis is away and the process ends: their leases lapse
            _drop(claims)
            return ()
        readable: list[_Loaded] = []
        for received, attempt in zip(claims, loaded, strict=False):
            if isinstance(attempt, StartedAttempt):
                readable.append((received, attempt))
            else:
                self._refuse(received, attempt)
        for batch in _batches(readable):
            try:
                prepared = self._build(batch)
            except Exception as error:
                _drop([received for received, _ in batch], error)
            else:
                self.begin.begin_all(prepared)
        return claims[len(loaded) :]

    def _build(self, batch: Sequence[_Loaded]) -> list[PreparedAttempt]:
        executor = self.executors.get()
        prepared, received_together, together = [], [], []
        for received, attempt in batch:
            if received.is_revoked:
                prepared.append(PreparedAttempt(received, attempt, executor.revoke(attempt), executor))
            elif attempt.deaths >= self.ledger.limits.suspect:
                # What was under way when several workers died is not even looked at here.
                prepared.append(PreparedAttempt(received, attempt, None, executor))
            else:
                received_together.append(received)
                together.append(attempt)
        requests = executor.build(together)
        return [*map(PreparedAttempt, received_together, together, requests, repeat(executor)), *prepared]

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
        self.release.give_back(unreadable, _UNREADABLE_PAUSE_MS)


def _batches(loaded: Sequence[_Loaded]) -> Iterator[Sequence[_Loaded]]:
    """What is built together: all that is small, then each large one."""
    if small := [each for each in loaded if len(each[1].payload) <= LARGE_BYTES]:
        yield small
    for each in loaded:
        if len(each[1].payload) > LARGE_BYTES:
            yield [each]


def _drop(claims: Sequence[ReceivedClaim], error: Exception | None = None) -> None:
    """Lets go of claims whose leases lapse, so that they come again; `error` is a fault of ours."""
    if error is not None:
        ids = [received.claim.id for received in claims]
        log.event(events.DELIVERY_CRASHED, ids=ids, error=type(error).__name__, at=place_of(error))
    for received in claims:
        received.ended(None)

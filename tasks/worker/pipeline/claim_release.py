"""Claims go back unsent: the process drains, cannot read them, or does not know whether they have begun."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.pipeline.received_claim import ReceivedClaim
from tasks.worker.store_retry import StoreRetry

log = EventLog(__name__)


@dataclass(frozen=True)
class ClaimRelease:
    """Gives claims back, until Redis has them or the process ends: then their leases lapse."""

    ledger: Ledger
    store_retry: StoreRetry

    def give_back(self, claims: Sequence[ReceivedClaim], delay_ms: int = 0) -> None:
        """Returns `claims` to their lanes, to be handed out again after `delay_ms`. Those are over here."""
        if not claims:
            return
        pairs = [(received.claim.id, received.claim.token) for received in claims]
        ids = [id for id, _ in pairs]
        self.store_retry.until_draining(
            lambda: self.ledger.release(pairs, delay_ms), events.DELIVERY_START_FAILED, ids=ids
        )
        log.event(events.DELIVERY_RELEASED, ids=ids)
        for received in claims:
            received.ended(None)

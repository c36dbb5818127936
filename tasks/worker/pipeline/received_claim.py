"""What the pipeline is given: claims, each with somebody who wants to know what becomes of it."""

from typing import Protocol

from longshore.ledger.entry import Claim
from tasks.worker.attempt_result import StoredResult


class ReceivedClaim(Protocol):
    """A claim that a message brought. Its methods are called from any thread, and raise nothing."""

    claim: Claim

    @property
    def is_revoked(self) -> bool:
        """Whether an operator has taken it back: then nothing is sent, and it is a dead letter."""

    def started(self) -> None:
        """Its attempt has begun."""

    def ended(self, result: StoredResult | None) -> None:
        """Called last, and once: what became of the invocation. None: the claim was stale, or went back unsent."""

"""Who takes the claims of a worker: what the worker implements, and Celery's side calls."""

from collections.abc import Sequence
from typing import Protocol

from tasks.celery.claim_request import ClaimRequest


class Receiver(Protocol):
    """It is called in Celery's thread, where it must not wait for anything, Redis included."""

    def receive(self, requests: Sequence[ClaimRequest]) -> None:
        """Takes the claims of one message, from 1 to 20. Each must be ended some day, see `ClaimRequest`.

        A start may lie ahead (`claim.start_ms`), the process may drain by now, and a claim of a format that this
        version does not read is among them: then they go back to the ledger. One may be revoked, now or later.
        """

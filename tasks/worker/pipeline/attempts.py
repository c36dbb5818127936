"""What passes from stage to stage."""

from dataclasses import dataclass, field

from longshore.delivery.request_builder import BuiltRequest
from longshore.ledger.entry import StartedAttempt
from tasks.worker.attempt_executor import AttemptExecutor
from tasks.worker.attempt_result import AttemptResult
from tasks.worker.pipeline.received_claim import ReceivedClaim


@dataclass(frozen=True, slots=True)
class PreparedAttempt:
    """An attempt that may begin."""

    received: ReceivedClaim
    attempt: StartedAttempt
    request: BuiltRequest | AttemptResult | None = field(repr=False)
    """What is to be sent; how it ends where there is nothing to send; None if it is made in a process of its own."""
    executor: AttemptExecutor = field(repr=False)
    """Has built it, and goes on with it whatever mapping is in force by then."""


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An attempt whose end is to be stored."""

    received: ReceivedClaim
    attempt: StartedAttempt
    result: AttemptResult

"""The ledger's calls for one claim, where a test is not about many."""

from collections.abc import Sequence
from dataclasses import replace

from longshore.invocation.kinds import Kind
from longshore.ledger.entry import AttemptEnd, Claim, LeasedReports, ReportsAck, StartedAttempt
from longshore.ledger.faults import only
from longshore.ledger.ledger import FINISH_CLAIMS, Ledger
from longshore.ledger.report_outbox import ReportOutbox


def begin_one(ledger: Ledger, id: str, token: int) -> StartedAttempt | None:
    """Loads and begins it; None if the claim is stale."""
    attempt = only(ledger.load([(id, token)]))
    first_ms = only(ledger.begin([(id, token)])) if attempt else None
    return replace(attempt, first_ms=first_ms) if attempt and first_ms is not None else None


def finish_one(
    ledger: Ledger, id: str, token: int, end: AttemptEnd, max_claims: int = FINISH_CLAIMS
) -> tuple[str, tuple[Claim, ...]]:
    """Its state, and what was claimed in its place."""
    result = ledger.finish([(attempt_of(id, token), end)], max_claims)
    return only(result.states), result.claims


def release_one(ledger: Ledger, id: str, token: int, delay_ms: int = 0) -> bool:
    """Whether it is back in its lane."""
    return only(ledger.release([(id, token)], delay_ms))


def ack_one(ledger: Ledger, reports: LeasedReports, unsent: Sequence[bytes] = (), delay_ms: int = 0) -> bool:
    """Whether the lease of `reports` was ours."""
    return only(ReportOutbox(ledger).ack([ReportsAck(reports, unsent, delay_ms)]))


def attempt_of(id: str, token: int) -> StartedAttempt:
    """An attempt of which only its end is to be stored."""
    return StartedAttempt(
        id,
        token,
        b"",
        Kind.ACTION_RUN,
        id,
        False,
        "",
        "",
        1,
        1,
        0,
        0,
        0,
        "",
        "",
        unknown_outcome="park",
        max_attempts=1,
    )

"""One attempt for people: its log line, its span, its one-line summary in Flower."""

from longshore.delivery.outcome import Outcome
from longshore.delivery.policy import Dead, Done, RetryAfter, Step
from longshore.ledger.entry import StartedAttempt
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)


def log_attempt(begun: StartedAttempt, outcome: Outcome, step: Step, max_attempts: int, now_ms: float) -> None:
    """Logs the attempt with all that is known about it. `outcome` is masked; `now_ms` is Redis's time."""
    if outcome.redirected:
        log.event(events.DELIVERY_REDIRECTED, run_id=begun.run or begun.id, target=begun.target, how=outcome.redirected)
    log.event(
        events.DELIVERY_ATTEMPTED,
        run_id=begun.run or begun.id,
        kind=begun.kind.value,
        target=begun.target,
        lane=begun.lane,
        attempt=begun.attempt,
        of=max_attempts,
        generation=begun.generation,
        outcome=outcome.reason,
        status=outcome.status,
        cause=outcome.cause if outcome.reason != "delivered" or outcome.redirected else None,
        duration_ms=round(outcome.duration_ms, 1),
        since_published_ms=round(now_ms - begun.published_ms),
        since_accepted_ms=round(now_ms - begun.accepted_ms),
        origin=begun.origin,
        next=_next_in_words(step),
    )


def span_attributes(begun: StartedAttempt) -> dict[str, str | int]:
    """The attributes of an attempt's span."""
    return {
        "longshore.id": begun.id,
        "longshore.kind": begun.kind.value,
        "longshore.target": begun.target,
        "longshore.attempt": begun.attempt,
        "longshore.generation": begun.generation,
    }


def summary_of(outcome: Outcome) -> str:
    """An outcome in one line: the status or the cause, and how long it took."""
    what = f"HTTP {outcome.status}" if outcome.status is not None else outcome.cause
    return f"{what} in {outcome.duration_ms:.0f} ms"


def _next_in_words(step: Step) -> str:
    match step:
        case RetryAfter(delay_s):
            return f"again in {delay_s:.1f} s"
        case Done():
            return "done"
        case Dead():
            return "dead letter"
        case _:
            return "unknown, kept for a person to decide"

"""One attempt for people: its log line, its span, its one-line summary in Flower."""

from logging import INFO, getLogger

from config import logging
from longshore.delivery.outcome import Outcome
from longshore.delivery.policy import Dead, Done, RetryAfter, Step
from longshore.errors import place_of
from longshore.ledger.entry import StartedAttempt
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic

log = EventLog(__name__)
_standard_log = getLogger(__name__)


FLUSH_INTERVAL_S = 0.05
"""How long a line of an attempt waits for others, to be written with them; each line has its own time."""


class AttemptLog:
    """Writes the lines of attempts. Thread safe. Until it is started, and after it was stopped, each line at once."""

    def __init__(self) -> None:
        self._thread = Periodic("attempt-log", FLUSH_INTERVAL_S, self.flush)

    def start(self) -> None:
        """From here on lines wait for each other."""
        self._thread.start()

    def stop(self) -> None:
        """Writes what waits."""
        self._thread.stop()
        self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        if (lines := logging.plain_lines()) is not None:
            lines.handler.flush()

    def write(self, attempt: StartedAttempt, outcome: Outcome, step: Step, max_attempts: int, now_ms: float) -> None:
        """Logs the attempt with all that is known about it. `outcome` is masked; `now_ms` is Redis's time."""
        if outcome.redirected:
            log.event(
                events.DELIVERY_REDIRECTED,
                run_id=attempt.run or attempt.id,
                target=attempt.target,
                how=outcome.redirected,
            )
        fields = _describe_attempt(attempt, outcome, step, max_attempts, now_ms)
        lines = logging.plain_lines()
        if lines is None:
            log.event(events.DELIVERY_ATTEMPTED, **fields)
        elif _standard_log.isEnabledFor(INFO):
            lines.add(events.DELIVERY_ATTEMPTED, __name__, fields)
            if not self._thread.alive:
                lines.handler.flush()


def _describe_attempt(
    attempt: StartedAttempt, outcome: Outcome, step: Step, max_attempts: int, now_ms: float
) -> dict[str, object]:
    return {
        "run_id": attempt.run or attempt.id,
        "kind": attempt.kind.value,
        "target": attempt.target,
        "lane": attempt.lane,
        "attempt": attempt.number,
        "of": max_attempts,
        "generation": attempt.generation,
        "outcome": outcome.reason,
        "status": outcome.status,
        "cause": outcome.cause if outcome.reason != "delivered" or outcome.redirected else None,
        "duration_ms": round(outcome.duration_ms, 1),
        "since_published_ms": round(now_ms - attempt.published_ms),
        "since_accepted_ms": round(now_ms - attempt.accepted_ms),
        "origin": attempt.origin,
        "next": _describe_step(step),
    }


def log_fault(attempt: StartedAttempt, error: Exception, *, sent: bool = False, answered: bool = False) -> str:
    """Logs that a fault of ours broke the attempt off, with what is certain of it; returns the cause for people."""
    name = type(error).__name__
    log.event(
        events.DELIVERY_CRASHED,
        run_id=attempt.run or attempt.id,
        error=name,
        at=place_of(error),
        sent=sent,
        answered=answered,
    )
    return f"a fault of the agent ({name})"


def span_attributes(attempt: StartedAttempt) -> dict[str, str | int]:
    """The attributes of an attempt's span."""
    return {
        "longshore.id": attempt.id,
        "longshore.kind": attempt.kind.value,
        "longshore.target": attempt.target,
        "longshore.attempt": attempt.number,
        "longshore.generation": attempt.generation,
    }


def summarize(outcome: Outcome) -> str:
    """An outcome in one line: the status or the cause, and how long it took."""
    what = outcome.cause if outcome.status is None or outcome.objection else f"HTTP {outcome.status}"
    return f"{what} in {outcome.duration_ms:.0f} ms"


def _describe_step(step: Step) -> str:
    match step:
        case RetryAfter(delay_s):
            return f"again in {delay_s:.1f} s"
        case Done():
            return "done"
        case Dead():
            return "dead letter"
        case _:
            return "unknown, kept for a person to decide"

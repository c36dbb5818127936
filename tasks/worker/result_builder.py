"""What the ledger is to store of an attempt: the result, the history entry, and the reports for Port."""

import json
import time
from dataclasses import replace

from longshore.delivery.outcome import Fault, Outcome, Verdict
from longshore.delivery.policy import Dead, Done, Park, RetryAfter, Step
from longshore.ledger.entry import AttemptEnd, StartedAttempt
from longshore.ledger.record import bond
from longshore.ledger.report_items import seal_item
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.operations.attempt_reports import MappedReport, RunContext, build_reports
from longshore.port import reports
from longshore.port.report_codec import Report, encode_report
from tasks.worker.attempt_result import Answer

_RESULTS = {Done: State.DONE, RetryAfter: State.WAITING, Dead: State.DEAD, Park: State.UNKNOWN}
"""The state that each step leaves an invocation in."""


class ResultBuilder:
    """Builds the ends of attempts, everything from payloads and responses sealed. Thread safe."""

    def __init__(self, sealer: Sealer, detailed: bool, keep_bytes: int) -> None:
        self._sealer = sealer
        self._detailed = detailed
        self._keep_bytes = keep_bytes

    def build_completed(
        self, attempt: StartedAttempt, outcome: Outcome, step: Step, report: MappedReport
    ) -> AttemptEnd:
        """The end of an attempt with an `outcome`, masked, which is followed by `step`."""
        run = RunContext(attempt.kind, attempt.synchronized, attempt.number)
        messages = build_reports(step, outcome, run, report, self._detailed)
        return AttemptEnd(
            result=_RESULTS[type(step)],
            reason=outcome.reason,
            status=outcome.status,
            delay_ms=round(step.delay_s * 1000) if isinstance(step, RetryAfter) else 0,
            attempt=self._seal_history(attempt, outcome),
            reports=self._seal_reports(attempt, messages),
            about_target=_classify_for_target(outcome),
            about_lane=_classify_for_lane(outcome),
        )

    def build_abandoned(self, attempt: StartedAttempt, result: State, reason: str, cause: str) -> AttemptEnd:
        """The end of an attempt without an outcome: no request could be made, or it is given up."""
        outcome = Outcome(Verdict.GIVE_UP, result == State.UNKNOWN, reason, cause)
        if result == State.UNKNOWN:
            messages = reports.unknown(attempt.kind, attempt.synchronized, None, reason)
        else:
            messages = reports.failed(attempt.kind, attempt.synchronized, outcome, None, self._detailed, attempt.number)
        return AttemptEnd(
            result, reason, attempt=self._seal_history(attempt, outcome), reports=self._seal_reports(attempt, messages)
        )

    def build_outcome_only(self, attempt: StartedAttempt, answer: Answer, why: str) -> AttemptEnd:
        """The end of an attempt that was answered, where `why` keeps the rest of the result from being made."""
        note = f"no more can be told of it: {why}"
        outcome = replace(answer.outcome, cause=f"{answer.outcome.reason}; {note}", response=None)
        return self.build_completed(attempt, outcome, answer.step, MappedReport(note=f"N{note[1:]}."))

    def build_interrupted(self, attempt: StartedAttempt, reason: str, cause: str) -> AttemptEnd:
        """The end of an attempt that nobody waits for any longer: the same ends that a lapsed lease leads to.

        It clears no suspect.
        """
        if attempt.unknown_outcome == "retry" and attempt.number < attempt.max_attempts:
            outcome = Outcome(Verdict.UNKNOWN, True, reason, cause)
            return AttemptEnd(State.WAITING, reason, attempt=self._seal_history(attempt, outcome), clears=False)
        return replace(self.build_abandoned(attempt, State.UNKNOWN, reason, cause), clears=False)

    def _seal_reports(self, attempt: StartedAttempt, messages: list[Report]) -> tuple[bytes, ...]:
        return tuple(
            seal_item(
                self._sealer,
                report.kind,
                encode_report(report),
                format=attempt.format,
                id=attempt.id,
                generation=attempt.generation,
                run=attempt.run,
            )
            for report in messages
        )

    def _seal_history(self, attempt: StartedAttempt, outcome: Outcome) -> bytes:
        response = outcome.response
        entry = {
            "generation": attempt.generation,
            "attempt": attempt.number,
            "at": round(time.time() - outcome.duration_ms / 1000, 3),
            "reason": outcome.reason,
            "cause": outcome.cause,
            "status": outcome.status,
            "sent": outcome.sent,
            "duration_ms": round(outcome.duration_ms, 1),
            "response": response.text[: self._keep_bytes] if response else None,
        }
        return self._sealer.seal(
            json.dumps(entry).encode(), bond(attempt.format, "history", attempt.id, attempt.generation)
        )


def _classify_for_target(outcome: Outcome) -> str:
    """What an attempt says about its target: whether a connection came about. A proxy's fault says nothing of it."""
    if outcome.fault is Fault.CONNECTION:
        return "" if outcome.reason == "proxy" else "fault"
    return "well" if outcome.status is not None else ""


def _classify_for_lane(outcome: Outcome) -> str:
    """What an attempt says about its route: whether it answers, and not with trouble of its own."""
    if outcome.fault is Fault.ANSWER:
        return "fault"
    return "well" if outcome.status is not None else ""

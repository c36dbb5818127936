"""One attempt without its ledger: build the request, send it, classify the outcome, complete the result.

What the target answered decides, and it is looked at first; everything after it (masking, reports, history, log lines)
may fail, and then costs only itself. Nothing is stored here, so a crash leaves what attempt_runner.py says: `attempt`.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from longshore.delivery.outcome import Outcome
from longshore.delivery.policy import RetryPolicy, next_step
from longshore.delivery.request_builder import BuiltRequest, RequestBuilder
from longshore.delivery.send import Sender
from longshore.errors import place_of
from longshore.invocation.mapping import JqUnavailable
from longshore.invocation.masking import use_mask
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.record import bond
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.attempt_reports import evaluate_mapped_report
from longshore.operations.response_masking import mask_outcome
from longshore.telemetry.tracing import Traces
from tasks.worker.attempt_log import log_attempt, span_attributes, summarize
from tasks.worker.attempt_request import RequestNotBuildable, build_request
from tasks.worker.attempt_result import Answer, AttemptResult, Completion, Deferral
from tasks.worker.delivery_settings import DeliverySettings, DeliverySettingsTable
from tasks.worker.redis_clock import RedisClock
from tasks.worker.result_builder import ResultBuilder
from tasks.worker.worker_metrics import WorkerMetrics

log = EventLog(__name__)

UNEXPECTED = "unexpected"
"""Reason code of what a fault of ours ended."""

_JQ_PAUSE_S = 1.0  # for a machine without memory for jq

_MAX_MOVES = 10
"""From target to target, within some minutes (defer.lua): two versions of a mapping file may be there for as long."""


@dataclass(slots=True)
class _Progress:
    """What is certain of an attempt under way, for when a fault of ours ends it."""

    sent: bool = False
    """Bytes may have left."""
    answer: Answer | None = None


@dataclass(frozen=True)
class AttemptExecutor:
    """Makes attempts. One for all threads of a process."""

    sealer: Sealer
    builder: RequestBuilder
    sender: Sender
    results: ResultBuilder
    delivery_settings: DeliverySettingsTable
    idempotency_header: str
    clock: RedisClock
    metrics: WorkerMetrics
    traces: Traces

    def execute(self, attempt: StartedAttempt, on_answer: Callable[[Answer], None] | None = None) -> AttemptResult:
        """Makes the attempt. Raises nothing, whatever the invocation, its mapping or its target do.

        `on_answer` is called as soon as there is an answer, for somebody who cannot wait until its result is complete.
        """
        progress = _Progress()
        try:
            built = self.build(attempt)
            if not isinstance(built, BuiltRequest):
                return built
            settings = self.delivery_settings.of(attempt.kind, built.entry)
            # Log lines of this thread are masked from here on, whoever writes them.
            with use_mask(built.mask):
                answer = self.send(attempt, built, settings, progress, on_answer)
                return self.complete(attempt, built, settings, answer)
        except Exception as error:
            return self._complete_after_fault(error, attempt, progress)

    def build(self, attempt: StartedAttempt) -> BuiltRequest | AttemptResult:
        """The request that the mapping gives; or how the attempt ends because there is none to send here."""
        try:
            request = build_request(attempt, self.sealer, self.builder)
        except RequestNotBuildable as error:
            return Completion(self.results.build_abandoned(attempt, State.DEAD, error.reason, error.cause), error.cause)
        except JqUnavailable as error:
            # Says nothing of the message.
            log.event(events.MAPPING_JQ_FAILED, run_id=attempt.run or attempt.id, problem=error.reason)
            time.sleep(_JQ_PAUSE_S)
            return Deferral(attempt.target, attempt.lane, "the mapping could not be evaluated")
        if request.target == attempt.target:
            return request.built
        # The claim holds a permit of another target than the one that would be called.
        if attempt.moves >= _MAX_MOVES:
            cause = (
                f"its URL gave another target {attempt.moves + 1} times: name one in the mapping's `delivery.target`"
            )
            return Completion(self.results.build_abandoned(attempt, State.DEAD, "unsteady_url", cause), cause)
        log.event(events.DELIVERY_DEFERRED, run_id=attempt.run, target=attempt.target, to=request.target)
        return Deferral(request.target, request.lane, f"belongs to {request.target}")

    def send(
        self,
        attempt: StartedAttempt,
        built: BuiltRequest,
        settings: DeliverySettings,
        progress: _Progress,
        on_answer: Callable[[Answer], None] | None,
    ) -> Answer:
        """One HTTP request, and what its outcome means. Whatever is known meanwhile stands in `progress`."""
        trace_bond = bond(attempt.format, "trace", attempt.id)
        with self.traces.attempt(attempt.trace, built.request.headers, span_attributes(attempt), trace_bond) as span:
            headers = self._idempotency_headers(attempt) | span.headers
            progress.sent = True
            outcome = self.sender.send(built.request, headers, settings.timeout_s, settings.total_s)
            progress.answer = answer = self.classify(attempt, outcome, settings.policy)
            if on_answer:
                on_answer(answer)
            span.ended(outcome)
        self.metrics.observe_request(outcome)
        return answer

    def classify(self, attempt: StartedAttempt, outcome: Outcome, policy: RetryPolicy) -> Answer:
        """What follows from `outcome`: done, again after a time, dead, or unknown."""
        age_s = max(0.0, (self.clock.now_ms() - attempt.first_ms) / 1000)
        return Answer(outcome, next_step(outcome, attempt.number, age_s, policy, random.random()))

    def complete(
        self, attempt: StartedAttempt, built: BuiltRequest, settings: DeliverySettings, answer: Answer
    ) -> Completion:
        """The result to store, with masked response, reports and history; and the log line of the attempt."""
        outcome = mask_outcome(answer.outcome, built.mask)
        report = evaluate_mapped_report(self.builder, built, attempt.kind, answer.outcome, outcome, answer.step)
        if report.problem:
            log.event(events.MAPPING_REPORT_FAILED, run_id=attempt.run or attempt.id, problem=report.problem)
        end = self.results.build_completed(attempt, outcome, answer.step, report)
        log_attempt(attempt, outcome, answer.step, settings.policy.max_attempts, self.clock.now_ms())
        return Completion(end, summarize(outcome))

    def _idempotency_headers(self, attempt: StartedAttempt) -> dict[str, str]:
        return {self.idempotency_header: attempt.id} if self.idempotency_header else {}

    def _complete_after_fault(self, error: Exception, attempt: StartedAttempt, progress: _Progress) -> Completion:
        """How an attempt ends that a fault of ours broke off: as what is certain of it says."""
        name = type(error).__name__
        log.event(
            events.DELIVERY_CRASHED,
            run_id=attempt.run or attempt.id,
            error=name,
            at=place_of(error),
            sent=progress.sent,
            answered=progress.answer is not None,
        )
        cause = f"a fault of the agent ({name})"
        if progress.answer is not None:
            end = self.results.build_outcome_only(attempt, progress.answer, cause)
            return Completion(end, summarize(progress.answer.outcome))
        if progress.sent:
            # It ended by itself, in a process that lives: no reason to suspect it of killing workers.
            return Completion(replace(self.results.build_interrupted(attempt, UNEXPECTED, cause), clears=True), cause)
        return Completion(self.results.build_abandoned(attempt, State.DEAD, UNEXPECTED, cause), cause)

"""What comes before and after the request of an attempt: it is built, its outcome classified, its result completed.

What the target answered decides, and it is looked at first; everything after it (masking, reports, history, log lines)
may fail, and then costs only itself. Nothing is stored here, so a crash leaves what pipeline/pipeline.py says.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longshore.delivery.issued_credential import CredentialSource
from longshore.delivery.outcome import Outcome
from longshore.delivery.policy import RetryPolicy, next_step
from longshore.delivery.request_builder import BuiltRequest, RequestBuilder
from longshore.delivery.send import Sender
from longshore.delivery.standard_webhooks import WebhookSigner
from longshore.invocation.mapping import JqUnavailable, Mapping
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.attempt_reports import evaluate_mapped_report
from longshore.operations.response_masking import mask_outcome
from longshore.telemetry.tracing import Traces
from tasks.worker.attempt_log import AttemptLog, log_fault, summarize
from tasks.worker.attempt_request import AddressedRequest, RequestNotBuildable, build_requests
from tasks.worker.attempt_result import UNEXPECTED, Answer, AttemptResult, Completion, Deferral
from tasks.worker.delivery_settings import DeliverySettings, DeliverySettingsTable
from tasks.worker.redis_clock import RedisClock
from tasks.worker.result_builder import ResultBuilder
from tasks.worker.worker_metrics import WorkerMetrics

if TYPE_CHECKING:
    from longshore.delivery.credentials import Credentials

log = EventLog(__name__)

REVOKED = "revoked"
"""Reason code of what an operator took back, in Flower say: it would be handed out for ever otherwise."""

_AROUND_S = 30.0  # what an attempt may take besides its request: its start time, the mapping, Redis

_JQ_PAUSE_S = 1.0  # for a machine without memory for jq

_MAX_MOVES = 10
"""From target to target, within some minutes (defer.lua): two versions of a mapping file may be there for as long."""


@dataclass(frozen=True)
class AttemptExecutor:
    """Makes attempts by one mapping. One for all threads of a process, until the mapping is changed."""

    sealer: Sealer
    mapping: Mapping
    builder: RequestBuilder
    sender: Sender
    results: ResultBuilder
    delivery_settings: DeliverySettingsTable
    webhook_signer: WebhookSigner | None
    clock: RedisClock
    metrics: WorkerMetrics
    traces: Traces
    attempt_log: AttemptLog
    credentials: "Credentials | None"
    """What is given to targets; None where the mapping names nothing and there is no targets file."""

    def build(self, attempts: Sequence[StartedAttempt]) -> list[BuiltRequest | AttemptResult]:
        """For each attempt its request; or how it ends because there is none to send here. Raises nothing."""
        try:
            requests = build_requests(attempts, self.sealer, self.builder)
        except Exception as error:
            return [self.abandon_after_fault(attempt, error) for attempt in attempts]
        if requests and all(isinstance(request, JqUnavailable) for request in requests):
            time.sleep(_JQ_PAUSE_S)  # says nothing of the messages
        return [self._resolve(attempt, request) for attempt, request in zip(attempts, requests, strict=True)]

    def max_duration_s(self, attempt: StartedAttempt) -> float:
        """How long it may take, with what is around its request.

        By its mapping entry; by any of them if it was accepted under another mapping file.
        """
        entry, table = self.mapping.entry_of(attempt.mapping), self.delivery_settings
        return (table.max_duration_s if entry is None else table.of(attempt.kind, entry).total_s) + _AROUND_S

    def attach_credential(self, built: BuiltRequest) -> BuiltRequest | CredentialSource:
        """`built` with what it is given for its target; or who is to be asked for it first, which takes time."""
        return built if self.credentials is None else self.credentials.attach(built, self.mapping.delivery(built.entry))

    def revoke(self, attempt: StartedAttempt) -> Completion:
        """How an attempt ends that an operator has revoked before it began."""
        log.event(events.DELIVERY_REVOKED, run_id=attempt.run or attempt.id)
        cause = "revoked by an operator"
        return Completion(self.results.build_abandoned(attempt, State.DEAD, REVOKED, cause), cause)

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
        self.attempt_log.write(attempt, outcome, answer.step, settings.policy.max_attempts, self.clock.now_ms())
        return Completion(end, summarize(outcome))

    def abandon_after_fault(self, attempt: StartedAttempt, error: Exception) -> Completion:
        """How an attempt ends at which a fault of ours was found before anything was sent."""
        cause = log_fault(attempt, error)
        return Completion(self.results.build_abandoned(attempt, State.DEAD, UNEXPECTED, cause), cause)

    def _resolve(
        self, attempt: StartedAttempt, request: AddressedRequest | RequestNotBuildable | JqUnavailable
    ) -> BuiltRequest | AttemptResult:
        match request:
            case RequestNotBuildable(reason=reason, cause=cause):
                return Completion(self.results.build_abandoned(attempt, State.DEAD, reason, cause), cause)
            case JqUnavailable():
                log.event(events.MAPPING_JQ_FAILED, run_id=attempt.run or attempt.id, problem=request.reason)
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

"""The request of one attempt, under way: advanced by whichever thread has something to do for it.

    start → (wait for the response → complete)* → classify → complete the result

What is certain of it stands in this object, for when a fault of ours, or the end of the worker, breaks it off.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from longshore.delivery.exchange import Exchange
from longshore.delivery.issued_credential import IssuedCredential, NoToken, issue
from longshore.delivery.outcome import Outcome, Verdict
from longshore.delivery.request_builder import BuiltRequest
from longshore.invocation.masking import use_mask
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.record import bond
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.telemetry.tracing import AttemptSpan
from tasks.worker.attempt_executor import AttemptExecutor
from tasks.worker.attempt_log import log_fault, span_attributes, summarize
from tasks.worker.attempt_result import UNEXPECTED, Answer, AttemptResult, Completion

log = EventLog(__name__)

UNAUTHORIZED = 401


class AttemptExchange:
    """One attempt's request. For one thread at a time."""

    def __init__(
        self,
        executor: AttemptExecutor,
        attempt: StartedAttempt,
        built: BuiltRequest,
        on_answer: Callable[[Answer], None] | None = None,
    ) -> None:
        """`on_answer` is called as soon as there is an answer, for who cannot wait until its result is complete."""
        self.attempt = attempt
        self.exchange: Exchange | None = None
        """What is waited for; None before the first step and after the last."""
        self._executor = executor
        self._built = built
        self._on_answer = on_answer
        self._settings = executor.delivery_settings.of(attempt.kind, built.entry)
        self._span: AttemptSpan | None = None
        self._sent = False
        self._is_repeated = False
        """Whether it was sent once more, as the target did not take its credential."""
        self._answer: Answer | None = None

    def advance(self, *, timed_out: bool = False, polled: bool = False) -> AttemptResult | None:
        """Takes the next step: sends the request, or reads its response. Raises nothing.

        Returns the result of the attempt; or None where a response is to be waited for (`exchange`). `timed_out` and
        `polled` are as for `Exchange.complete`.
        """
        # Log lines of this thread are masked from here on, whoever writes them.
        with use_mask(self._built.mask):
            try:
                answered = self._send() if self.exchange is None else self._receive(self.exchange, timed_out, polled)
                if isinstance(answered, Exchange):
                    self.exchange = answered
                    return None
                self.exchange = None
                return self._complete(answered)
            except Exception as error:
                return self._complete_after_fault(error)

    def _send(self) -> Outcome | Exchange:
        attempt, executor, request = self.attempt, self._executor, self._built.request
        trace_bond = bond(attempt.format, "trace", attempt.id)
        self._span = executor.traces.attempt(attempt.trace, request.headers, span_attributes(attempt), trace_bond)
        settings, identity = self._settings, self._settings.identity
        key = identity.build_key(attempt.id, attempt.generation)
        self._headers = {**self._span.headers, **identity.build_headers(key)}
        self._sign = identity.choose_signature(executor.webhook_signer, key)
        self._ends_at = time.monotonic() + settings.total_s
        return self._start(settings.total_s)

    def _start(self, total_s: float) -> Outcome | Exchange:
        headers, credential, settings = self._headers, self._built.credential, self._settings
        if isinstance(credential, NoToken):
            wait_s = credential.retry_after_s
            return Outcome(Verdict.RETRY, False, "no_token", str(credential), retry_after_s=wait_s)
        if credential is not None:
            headers = {**headers, credential.header: credential.value}
        self._sent = True
        return self._executor.sender.start(
            self._built.request, headers, settings.timeout_s, total_s, self._sign, settings.tls
        )

    def _receive(self, exchange: Exchange, timed_out: bool, polled: bool) -> Outcome | Exchange:
        answered = exchange.complete(timed_out, polled)
        credential = self._built.credential
        if (
            isinstance(credential, IssuedCredential)
            and isinstance(answered, Outcome)
            and answered.status == UNAUTHORIZED
            and not (self._is_repeated or exchange.is_redirected)
        ):
            self._is_repeated = True
            return self._repeat(answered, credential)
        return answered

    def _repeat(self, outcome: Outcome, refused: IssuedCredential) -> Outcome | Exchange:
        """Sends the request once more, with another credential: the target has not done what it refused (`outcome`)."""
        try:
            with self._executor.sender.blocking():
                credential = refused.source.replace(refused)
        except NoToken as error:
            why = f"and there is {error}"
            return replace(
                outcome,
                verdict=Verdict.RETRY,
                reason="no_token",
                cause=f"{outcome.cause}, {why}",
                objection=why,
                retry_after_s=error.retry_after_s,
                response=None,
            )
        left_s = self._ends_at - time.monotonic()
        if credential is None or left_s <= 0:
            return outcome
        log.event(
            events.CREDENTIAL_REPLACED, run_id=self.attempt.run or self.attempt.id, source=credential.source.place
        )
        self._built = self._built.with_credential(credential)
        return self._start(left_s)

    def _complete(self, outcome: Outcome) -> Completion:
        executor = self._executor
        outcome = executor.builder.judge(self._built, outcome)
        self._answer = answer = executor.classify(self.attempt, outcome, self._settings.policy)
        if self._on_answer:
            self._on_answer(answer)
        if self._span:
            self._span.ended(outcome)
        executor.metrics.observe_request(outcome)
        return executor.complete(self.attempt, self._built, self._settings, answer)

    def _complete_after_fault(self, error: Exception) -> Completion:
        """How an attempt ends that a fault of ours broke off: as what is certain of it says."""
        if self.exchange is not None:
            self.exchange.close()
            self.exchange = None
        if self._span:
            self._span.failed()
        if not self._sent:
            return self._executor.abandon_after_fault(self.attempt, error)
        results = self._executor.results
        cause = log_fault(self.attempt, error, sent=True, answered=self._answer is not None)
        if self._answer is not None:
            end = results.build_outcome_only(self.attempt, self._answer, cause)
            return Completion(end, summarize(self._answer.outcome))
        # It ended by itself, in a process that lives: no reason to suspect it of killing workers.
        return Completion(replace(results.build_interrupted(self.attempt, UNEXPECTED, cause), clears=True), cause)


def execute(executor: AttemptExecutor, attempt: StartedAttempt) -> AttemptResult:
    """The whole attempt, in this thread. Raises nothing, whatever the invocation, its mapping or its target do."""
    (built,) = executor.build([attempt])
    if not isinstance(built, BuiltRequest):
        return built
    attached = executor.attach_credential(built)
    if not isinstance(attached, BuiltRequest):
        attached = built.with_credential(issue(attached))
    exchange = AttemptExchange(executor, attempt, attached)
    result = exchange.advance()
    while result is None:
        result = exchange.advance()
    return result

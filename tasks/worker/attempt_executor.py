"""One attempt from its record to what is to be stored of it: build the request, send it, decide. Stores nothing.

What the target answered decides, and it is looked at first; everything after it (masking, reports, history, log lines)
may fail, and then costs only itself.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from longshore.delivery.outcome import Outcome
from longshore.delivery.policy import RetryPolicy, Step, next_step
from longshore.delivery.request_builder import BuiltRequest, RequestBuilder
from longshore.delivery.send import Sender
from longshore.errors import place_of
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import JqUnavailable
from longshore.invocation.masking import masking
from longshore.operations.attempt_reports import MappedReport, mapped_report
from longshore.operations.response_masking import masked
from longshore.store.entry import Begun, Finish
from longshore.store.record import bond
from longshore.store.seal import Sealer
from longshore.store.states import State
from longshore.telemetry.tracing import Traces
from tasks.worker.attempt_request import RequestNotBuildable, build_request
from tasks.worker.delivery_settings import Terms
from tasks.worker.result_builder import Story, next_in_words
from tasks.worker.worker_health import Counts

log = structlog.get_logger(__name__)

UNEXPECTED = "unexpected"
"""Reason code of what a fault of ours ended."""

_JQ_PAUSE_S = 1.0

_MOST_MOVES = 10
"""From target to target, within some minutes (defer.lua): two versions of a mapping file may be there for as long."""


@dataclass(frozen=True, slots=True)
class Told:
    """How an attempt ended: what the ledger is to be told, and one line for people. One of the first two is None."""

    finish: Finish | None
    moved: tuple[str, str] | None
    """Target and lane it belongs to; nothing was sent."""
    line: str


@dataclass(slots=True)
class _Known:
    """What is certain of an attempt under way, for when something unexpected ends it."""

    on_answer: Callable[[Callable[[], Finish]], None]
    sent: bool = False
    answer: tuple[Outcome, Step] | None = None


@dataclass(frozen=True)
class Performer:
    """Everything an attempt needs but the ledger, shared by all threads of a process."""

    sealer: Sealer
    builder: RequestBuilder
    sender: Sender
    story: Story
    terms: Callable[[Kind, int], Terms]
    """On which terms the invocations of a kind are delivered, by the number of their mapping."""
    idempotency_header: str
    clock_offset_ms: Callable[[], float]
    """Redis's clock minus ours."""
    counts: Counts
    traces: Traces

    def perform(self, begun: Begun, on_answer: Callable[[Callable[[], Finish]], None] = lambda end: None) -> Told:
        """Makes the attempt. Raises nothing, whatever the invocation, its mapping or its target do.

        `on_answer` is called when there is an answer, with what gives the attempt's end in short: for somebody who
        cannot wait until all of it is told.
        """
        known = _Known(on_answer)
        try:
            return self._built(begun, known)
        except Exception as error:
            return self._in_spite_of(error, begun, known)

    def _built(self, begun: Begun, known: _Known) -> Told:
        try:
            addressed = build_request(begun, self.sealer, self.builder)
        except RequestNotBuildable as error:
            return Told(self.story.stopped(begun, State.DEAD, error.reason, error.cause), None, error.cause)
        except JqUnavailable as error:
            # Says nothing of the message, and nothing was sent. The pause is for a machine without memory for jq.
            log.error("mapping.unavailable", run_id=begun.run or begun.id, problem=error.reason)
            time.sleep(_JQ_PAUSE_S)
            return Told(None, (begun.target, begun.lane), "the mapping could not be evaluated")
        if addressed.target != begun.target and begun.moves >= _MOST_MOVES:
            cause = f"its URL gave another target {begun.moves + 1} times: name one in the mapping's `delivery.target`"
            return Told(self.story.stopped(begun, State.DEAD, "unsteady_url", cause), None, cause)
        if addressed.target != begun.target:
            log.info("delivery.deferred", run_id=begun.run, target=begun.target, to=addressed.target)
            return Told(None, (addressed.target, addressed.lane), f"belongs to {addressed.target}")
        with masking(addressed.built.mask):
            return self._sent(begun, addressed.built, known)

    def _sent(self, begun: Begun, built: BuiltRequest, known: _Known) -> Told:
        """Sends what was built. Log lines of this thread are masked meanwhile, whoever writes them."""
        terms = self.terms(begun.kind, built.entry)
        with self.traces.attempt(
            begun.trace, built.request.headers, _facts(begun), bond(begun.format, "trace", begun.id)
        ) as span:
            headers = self._headers(begun) | span.headers
            known.sent = True
            outcome = self.sender.send(built.request, headers, terms.timeout_s, terms.total_s)
            step = self._step(begun, outcome, terms.policy)
            known.answer = outcome, step
            known.on_answer(lambda: self._in_short(begun, outcome, step, "the worker had to stop"))
            span.ended(outcome)
        self.counts.requested(outcome)
        shown = masked(outcome, built.mask)
        report = self._report(begun, built, replace(shown, headers=outcome.headers), step)
        finish = self.story.finish(begun, shown, step, report)
        self._log(begun, shown, step, terms.policy.max_attempts)
        return Told(finish, None, _line(shown))

    def _report(self, begun: Begun, built: BuiltRequest, outcome: Outcome, step: Step) -> MappedReport:
        report = mapped_report(self.builder, built, begun.kind, outcome, step)
        if report.problem:
            log.warning("mapping.report_failed", run_id=begun.run or begun.id, problem=report.problem)
        return report

    def _in_spite_of(self, error: Exception, begun: Begun, known: _Known) -> Told:
        """How an attempt ends that a fault of ours broke off: as what is certain of it says."""
        name = type(error).__name__
        log.error(
            "delivery.unexpected",
            run_id=begun.run or begun.id,
            error=name,
            at=place_of(error),
            sent=known.sent,
            answered=known.answer is not None,
        )
        if known.answer is not None:
            finish = self._in_short(begun, *known.answer, f"a fault of the agent ({name})")
            return Told(finish, None, _line(known.answer[0]))
        cause = f"a fault of the agent ({name})"
        if known.sent:
            return Told(replace(self.story.cut_off(begun, UNEXPECTED, cause), clears=True), None, cause)
        return Told(self.story.stopped(begun, State.DEAD, UNEXPECTED, cause), None, cause)

    def _in_short(self, begun: Begun, outcome: Outcome, step: Step, why: str) -> Finish:
        """The end of an attempt of which no more can be told than its outcome."""
        told = f"no more can be told of it: {why}"
        shown = replace(outcome, cause=f"{outcome.reason}; {told}", response=None)
        return self.story.finish(begun, shown, step, MappedReport(note=f"N{told[1:]}."))

    def _step(self, begun: Begun, outcome: Outcome, policy: RetryPolicy) -> Step:
        return next_step(outcome, begun.attempt, self._age_s(begun), policy, random.random())

    def _headers(self, begun: Begun) -> dict[str, str]:
        return {self.idempotency_header: begun.id} if self.idempotency_header else {}

    def _age_s(self, begun: Begun) -> float:
        return max(0.0, (time.time() * 1000 + self.clock_offset_ms() - begun.first_ms) / 1000)

    def _log(self, begun: Begun, outcome: Outcome, step: Step, most: int) -> None:
        if outcome.redirected:
            log.warning(
                "delivery.redirected", run_id=begun.run or begun.id, target=begun.target, how=outcome.redirected
            )
        now_ms = time.time() * 1000 + self.clock_offset_ms()
        log.info(
            "delivery.attempted",
            run_id=begun.run or begun.id,
            kind=begun.kind.value,
            target=begun.target,
            lane=begun.lane,
            attempt=begun.attempt,
            of=most,
            generation=begun.generation,
            outcome=outcome.reason,
            status=outcome.status,
            cause=outcome.cause if outcome.reason != "delivered" or outcome.redirected else None,
            duration_ms=round(outcome.duration_ms, 1),
            since_published_ms=round(now_ms - begun.published_ms),
            since_accepted_ms=round(now_ms - begun.accepted_ms),
            origin=begun.origin,
            next=next_in_words(step),
        )


def _facts(begun: Begun) -> dict[str, str | int]:
    """What the span of an attempt tells."""
    return {
        "longshore.id": begun.id,
        "longshore.kind": begun.kind.value,
        "longshore.target": begun.target,
        "longshore.attempt": begun.attempt,
        "longshore.generation": begun.generation,
    }


def _line(outcome: Outcome) -> str:
    what = f"HTTP {outcome.status}" if outcome.status is not None else outcome.cause
    return f"{what} in {outcome.duration_ms:.0f} ms"

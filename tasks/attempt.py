"""One attempt: begin, build the request, send it, store what came of it. Knows nothing of Celery."""

import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from config.tracing import Traces
from longshore.delivery.outcome import Outcome
from longshore.delivery.policy import Step, next_step
from longshore.delivery.send import Sender
from longshore.errors import StoreUnavailable
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import JqUnavailable
from longshore.invocation.masking import masking
from longshore.store.entry import Begun, Claim, Finish
from longshore.store.ledger import Ledger
from longshore.store.record import UnknownFormat
from tasks.in_flight import InFlight
from tasks.masked import masked, masked_report
from tasks.publish import PAUSE_FOREIGN_MS
from tasks.quarantine import POISON, POISON_CAUSE, Died, Recorder, Suspects
from tasks.request import Prepared, RequestBuilder, Unbuildable
from tasks.signs import Counts
from tasks.story import Story, next_in_words
from tasks.terms import Terms

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

_JQ_PAUSE_S = 1.0
_SUSPECT_PAUSE_S = 1.0  # while others are tried

_STORE_PAUSES_S = (0.1, 0.2, 0.5, 1, 2)  # quick at first; then every two seconds until Redis is back


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: the state the invocation is in now, and one line for people."""

    state: str
    line: str


@dataclass(frozen=True)
class Attempts:
    """Everything an attempt needs, shared by all threads of a worker process."""

    ledger: Ledger | Recorder
    builder: RequestBuilder
    sender: Sender
    story: Story
    in_flight: InFlight
    terms: Callable[[Kind, int], Terms]
    """On which terms the invocations of a kind are delivered, by the number of their mapping."""
    idempotency_header: str
    longest_s: float
    """Total deadline of a request, and a little for what is around it."""
    handed_out: Callable[[tuple[Claim, ...]], None]
    """Takes the claims that an ended attempt makes room for."""
    clock_offset_ms: Callable[[], float]
    """Redis's clock minus ours."""
    draining: threading.Event
    suspects: Suspects | None
    """Tries suspects; None in the process made for one."""
    counts: Counts
    traces: Traces

    def run(self, id: str, token: int, start_ms: int) -> Ended | None:
        """One attempt for a claim. None: the claim is stale, or the worker drains; nothing was sent."""
        assert isinstance(self.ledger, Ledger)
        self._wait_for(start_ms)
        if self.draining.is_set():
            self.ledger.give_back(id, token)
            return None
        try:
            begun = self.ledger.begin(id, token)
        except StoreUnavailable:
            # Perhaps it has begun and only the answer was lost: left so, it would end as unknown, though never sent.
            self._give_back(self.ledger, id, token)
            return None
        except UnknownFormat as error:
            self.give_back(id, token, str(error))
            return None
        if begun is None:
            log.debug("delivery.stale", id=id, token=token)
            return None
        # A crash from here on leaves it `begun`: its lease lapses and the unknown-outcome policy decides.
        with self.in_flight.attempt(begun, self.longest_s):
            if self.suspects is not None and begun.deaths >= self.ledger.limits.suspect:
                return self._alone(begun, self.suspects)
            return self.perform(begun)

    def give_back(self, id: str, token: int, why: str) -> None:
        """Leaves a claim to other workers, without an attempt. Raises `StoreUnavailable`: then its lease lapses."""
        assert isinstance(self.ledger, Ledger)
        log.warning("delivery.left_to_others", id=id, reason=why)
        self.ledger.give_back(id, token, PAUSE_FOREIGN_MS)

    def _alone(self, begun: Begun, suspects: Suspects) -> Ended:
        """The attempt of a suspect, in a process of its own."""
        try:
            told = suspects.attempt(begun, self.clock_offset_ms(), self.longest_s)
        except TimeoutError:
            cause = "the process in which it was tried alone did not end in time"
            return self._ended(begun, self.story.cut_off(begun, "deadline", cause), cause)
        if isinstance(told, Died) and self.draining.is_set():
            # Whoever ends this worker may have ended that process too.
            return self._ended(begun, self.story.cut_off(begun, "drained", "the worker had to stop"), "drained")
        if isinstance(told, Died):
            log.error("delivery.poison", run_id=begun.run or begun.id, deaths=begun.deaths + 1, ended=told.how)
            return self._ended(begun, self.story.stopped(begun, "dead", POISON, POISON_CAUSE), POISON_CAUSE)
        if told is None:
            time.sleep(_SUSPECT_PAUSE_S)
        if told is None or told.finish is None:
            target, lane = (told and told.moved) or (begun.target, begun.lane)
            self._until_stored(begun, lambda: self.ledger.defer(begun, target, lane))
            return Ended("deferred", told.line if told else "no process to try it alone")
        return self._ended(begun, told.finish, told.line)

    def perform(self, begun: Begun) -> Ended:
        """Builds the request, sends it and stores what came of it."""
        try:
            prepared = self.builder.build(begun)
        except Unbuildable as error:
            finish = self.story.stopped(begun, "dead", error.reason, error.cause)
            return self._ended(begun, finish, error.cause)
        except JqUnavailable as error:
            # Says nothing of the message, and nothing was sent. The pause is for a machine without memory for jq.
            log.error("mapping.unavailable", run_id=begun.run or begun.id, problem=error.reason)
            time.sleep(_JQ_PAUSE_S)
            self._until_stored(begun, lambda: self.ledger.defer(begun, begun.target, begun.lane))
            return Ended("deferred", "the mapping could not be evaluated")
        if prepared.target != begun.target:
            self._until_stored(begun, lambda: self.ledger.defer(begun, prepared.target, prepared.lane))
            log.info("delivery.deferred", run_id=begun.run, target=begun.target, to=prepared.target)
            return Ended("deferred", f"belongs to {prepared.target}")
        with masking(prepared.mask):
            return self._send(begun, prepared)

    def _send(self, begun: Begun, prepared: Prepared) -> Ended:
        """Sends what is prepared. Log lines of this thread are masked meanwhile, whoever writes them."""
        terms = self.terms(begun.kind, prepared.entry)
        policy = terms.policy
        if self._age_s(begun) > policy.max_age_s:
            cause = f"it came too late: more than {policy.max_age_s:g} s after it was accepted"
            return self._ended(begun, self.story.stopped(begun, "dead", "expired", cause), cause)
        with self.traces.attempt(begun.trace, prepared.request.headers, _facts(begun)) as sent:
            headers = self._headers(begun) | sent.headers
            answered = self.sender.send(prepared.request, headers, terms.timeout_s, terms.total_s)
            sent.ended(answered)
        outcome = masked(answered, prepared.mask)
        self.counts.requested(outcome)
        step = next_step(outcome, begun.attempt, self._age_s(begun), policy, random.random())
        finish = self.story.finish(begun, outcome, step, self._report(begun, prepared, answered, step))
        self._log(begun, outcome, step, policy.max_attempts)
        return self._ended(begun, finish, _line(outcome))

    def _ended(self, begun: Begun, finish: Finish, line: str) -> Ended:
        state, claims = self._until_stored(begun, lambda: self.ledger.finish(begun.id, begun.token, finish))
        self.handed_out(claims)
        self.counts.ended(begun, finish, state, time.time() * 1000 + self.clock_offset_ms())
        if state != finish.result:
            log.warning("delivery.late", run_id=begun.run, result=finish.result, state=state)
        return Ended(state, line)

    def _until_stored(self, begun: Begun, store: Callable[[], _T]) -> _T:
        """`store`, again and again until Redis has it: only here is it known what came of the attempt."""
        self.in_flight.answered(begun)
        tries = 0
        while True:
            try:
                return store()
            except StoreUnavailable as error:
                if tries == 0:
                    self.counts.waits_for_redis()
                    log.warning("delivery.result_waits_for_store", run_id=begun.run, error=str(error))
            time.sleep(_pause_s(tries))
            tries += 1

    def _give_back(self, ledger: Ledger, id: str, token: int) -> None:
        """Until Redis has it, or the process ends: then the lease lapses."""
        for tries in itertools.count():
            try:
                given = ledger.give_back(id, token)
            except StoreUnavailable as error:
                if tries == 0:
                    log.warning("delivery.not_begun", id=id, error=str(error))
                if self.draining.wait(_pause_s(tries)):
                    return
            else:
                log.info("delivery.given_back", id=id, given=given)
                return

    def _headers(self, begun: Begun) -> dict[str, str]:
        return {self.idempotency_header: begun.id} if self.idempotency_header else {}

    def _age_s(self, begun: Begun) -> float:
        return max(0.0, (time.time() * 1000 + self.clock_offset_ms() - begun.accepted_ms) / 1000)

    def _report(self, begun: Begun, prepared: Prepared, outcome: Outcome, step: Step) -> dict[str, object] | None:
        final = next_in_words(step) in ("done", "dead letter")
        if begun.kind is not Kind.ACTION_RUN or not final or outcome.response is None:
            return None
        report = self.builder.report(prepared, outcome.headers, outcome.response)
        return None if report is None else masked_report(report, prepared.mask, outcome.headers)

    def _wait_for(self, start_ms: int) -> None:
        """Sleeps until the start that the target's rate gave this claim; a clock jump cannot make it long."""
        left_s = (start_ms - time.time() * 1000 - self.clock_offset_ms()) / 1000
        if left_s > 0:
            time.sleep(min(left_s, 1.0))

    def _log(self, begun: Begun, outcome: Outcome, step: Step, most: int) -> None:
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
            cause=outcome.cause if outcome.reason != "delivered" else None,
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


def _pause_s(tries: int) -> float:
    return _STORE_PAUSES_S[min(tries, len(_STORE_PAUSES_S) - 1)]


def _line(outcome: Outcome) -> str:
    what = f"HTTP {outcome.status}" if outcome.status is not None else outcome.cause
    return f"{what} in {outcome.duration_ms:.0f} ms"

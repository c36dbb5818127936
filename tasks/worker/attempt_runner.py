"""One attempt in the ledger: begin, have it made, store what came of it. Knows nothing of Celery."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from longshore.errors import StoreUnavailable, place_of
from longshore.store.entry import Begun, Claim, Finish
from longshore.store.ledger import IN_PLACE, Ledger
from longshore.store.record import UnknownFormat
from longshore.store.states import State
from tasks.celery.publish import PAUSE_FOREIGN_MS
from tasks.worker.attempt_executor import UNEXPECTED, Performer, Told
from tasks.worker.in_flight import InFlight
from tasks.worker.isolation.runner import POISON, POISON_CAUSE, Died, Suspects
from tasks.worker.result_builder import Story
from tasks.worker.worker_health import Counts

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

DEFERRED = "deferred"
"""In place of a state: nothing was sent, and it waits in another lane."""

_SUSPECT_PAUSE_S = 1.0  # while others are tried

_STORE_PAUSES_S = (0.1, 0.2, 0.5, 1, 2)  # quick at first; then every two seconds until Redis is back


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: the state the invocation is in now (or `DEFERRED`), and one line for people."""

    state: str
    line: str


@dataclass(frozen=True)
class Attempts:
    """Everything an attempt needs, shared by all threads of a worker process."""

    ledger: Ledger
    performer: Performer
    story: Story
    in_flight: InFlight
    longest_s: Callable[[Begun], float]
    """Total deadline of a request, and a little for what is around it."""
    handed_out: Callable[[tuple[Claim, ...]], None]
    """Takes the claims that an ended attempt makes room for."""
    clock_offset_ms: Callable[[], float]
    """Redis's clock minus ours."""
    draining: threading.Event
    suspects: Suspects
    counts: Counts

    def run(self, id: str, token: int, start_ms: int) -> Ended | None:
        """One attempt for a claim. None: the claim is stale, or the worker drains; nothing was sent."""
        self._wait_for(start_ms)
        if self.draining.is_set():
            self.ledger.give_back(id, token)
            return None
        try:
            begun = self.ledger.begin(id, token)
        except StoreUnavailable:
            # Perhaps it has begun and only the answer was lost: left so, it would end as unknown, though never sent.
            self._give_back(id, token)
            return None
        except UnknownFormat as error:
            self.give_back(id, token, str(error))
            return None
        if begun is None:
            log.debug("delivery.stale", id=id, token=token)
            return None
        # A crash from here on leaves it `begun`: its lease lapses and the unknown-outcome policy decides.
        with self.in_flight.attempt(begun, self.longest_s(begun)):
            suspect = begun.deaths >= self.ledger.limits.suspect
            return self._stored(begun, self._alone(begun) if suspect else self._perform(begun))

    def give_back(self, id: str, token: int, why: str) -> None:
        """Leaves a claim to other workers, without an attempt. Raises `StoreUnavailable`: then its lease lapses."""
        log.warning("delivery.left_to_others", id=id, reason=why)
        self.ledger.give_back(id, token, PAUSE_FOREIGN_MS)

    def _perform(self, begun: Begun) -> Told:
        """The attempt, of which a drain may store the end as soon as there is an answer."""

        def answered(end: Callable[[], Finish]) -> None:
            self.in_flight.answered(begun, lambda: self._finish(begun, end()))

        return self.performer.perform(begun, answered)

    def _alone(self, begun: Begun) -> Told:
        """The attempt of a suspect, in a process of its own."""
        try:
            told = self.suspects.attempt(begun, self.clock_offset_ms(), self.longest_s(begun))
        except TimeoutError:
            cause = "the process in which it was tried alone did not end in time"
            return Told(self.story.cut_off(begun, "deadline", cause), None, cause)
        except Exception as error:  # it may have been sent
            log.error("delivery.unexpected", run_id=begun.run, error=type(error).__name__, at=place_of(error))
            cause = f"a fault of the agent ({type(error).__name__}) while it was tried alone"
            return Told(self.story.cut_off(begun, UNEXPECTED, cause), None, cause)
        if isinstance(told, Died) and self.draining.is_set():
            # Whoever ends this worker may have ended that process too.
            return Told(self.story.cut_off(begun, "drained", "the worker had to stop"), None, "drained")
        if isinstance(told, Died):
            log.error("delivery.poison", run_id=begun.run or begun.id, deaths=begun.deaths + 1, ended=told.how)
            poison = replace(self.story.stopped(begun, State.DEAD, POISON, POISON_CAUSE), clears=False)
            return Told(poison, None, POISON_CAUSE)
        if told is None:
            time.sleep(_SUSPECT_PAUSE_S)
            return Told(None, (begun.target, begun.lane), "no process to try it alone")
        return told

    def _stored(self, begun: Begun, told: Told) -> Ended:
        finish = told.finish
        if finish is None:
            target, lane = told.moved or (begun.target, begun.lane)
            self._until_stored(begun, lambda: self.ledger.defer(begun, target, lane))
            return Ended(DEFERRED, told.line)
        state, claims = self._until_stored(begun, lambda: self._finish(begun, finish))
        self.handed_out(claims)
        self.counts.ended(begun, finish, state, time.time() * 1000 + self.clock_offset_ms())
        if state != finish.result:
            log.warning("delivery.late", run_id=begun.run, result=finish.result, state=state)
        return Ended(state, told.line)

    def _finish(self, begun: Begun, finish: Finish) -> tuple[str, tuple[Claim, ...]]:
        """Stores `finish`; a worker that drains leaves it to others to hand out what may start in its place."""
        return self.ledger.finish(begun.id, begun.token, finish, 0 if self.draining.is_set() else IN_PLACE)

    def _until_stored(self, begun: Begun, store: Callable[[], _T]) -> _T:
        """`store`, again and again until Redis has it: only here is it known what came of the attempt."""
        self.in_flight.answered(begun, store)
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

    def _give_back(self, id: str, token: int) -> None:
        """Until Redis has it, or the process ends: then the lease lapses."""
        for tries in itertools.count():
            try:
                given = self.ledger.give_back(id, token)
            except StoreUnavailable as error:
                if tries == 0:
                    log.warning("delivery.not_begun", id=id, error=str(error))
                if self.draining.wait(_pause_s(tries)):
                    return
            else:
                log.info("delivery.given_back", id=id, given=given)
                return

    def _wait_for(self, start_ms: int) -> None:
        """Sleeps until the start that the target's rate gave this claim; a clock jump cannot make it long."""
        left_s = (start_ms - time.time() * 1000 - self.clock_offset_ms()) / 1000
        if left_s > 0:
            time.sleep(min(left_s, 1.0))


def _pause_s(tries: int) -> float:
    return _STORE_PAUSES_S[min(tries, len(_STORE_PAUSES_S) - 1)]

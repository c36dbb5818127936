"""A drill: one target is paused, one worker is ended, and the ledger is watched until everything is accounted for.

At most one target and one worker, and the target is resumed however the drill ends, also by a signal. Of a drill that
is killed (SIGKILL) or stopped, the lease lapses, and the workers resume it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from longshore.errors import StoreUnavailable
from longshore.ledger.audit import Balance, audit
from longshore.ledger.drill_lease import LEASE_S, DrillLease, DrillStart
from longshore.ledger.states import FINAL_STATES, State
from longshore.operations.drill_plan import Plan, Workers
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.leftovers import find_unfinished_records
from longshore.operations.refusals import Conflict
from longshore.operations.steer import log_steering

LOOK_S = 0.5
RESUME_PATIENCE_S = 60.0
"""How long a Redis that is away is waited for, to resume the target."""
WAITS = frozenset({"paused", "breaker", "order", "later"})
"""Reasons to wait that no worker can end: an operator, a breaker, another invocation, the time of a retry."""


@dataclass(frozen=True, slots=True)
class DrillResult:
    """How a drill ended. Times in seconds, None for what was not reached within the limit."""

    balance: Balance
    states: Counter[State]
    """State → how many of those that were under way are in it now; without those whose record is gone."""
    waiting: Counter[str]
    """Why those wait that have not ended."""
    watched: int
    """Invocations that were under way, when the target was paused or before it was resumed."""
    worker_gone_s: float | None
    recovery_s: float | None
    """From the resume until each had ended or waited for one of `WAITS`."""

    @property
    def lost(self) -> int:
        """Accepted, and neither there nor removed on purpose; or there, and in no place or two."""
        return self.balance.unaccounted + len(self.balance.problems) + self.balance.unlisted

    @property
    def is_passed(self) -> bool:
        """Whether nothing is lost, the worker has gone and the others have taken over."""
        return not self.lost and self.worker_gone_s is not None and self.recovery_s is not None


class Drill:
    """One drill. `is_interrupted` is asked between steps, as a signal must not cut a step off."""

    def __init__(
        self,
        access: LedgerAccess,
        workers: Workers,
        plan: Plan,
        actor: str,
        say: Callable[[str], None],
        is_interrupted: Callable[[], bool],
    ) -> None:
        self._access = access
        self._workers = workers
        self._plan = plan
        self._actor = actor
        self._say = say
        self._is_interrupted = is_interrupted
        self._deadline = time.monotonic() + plan.limit_s
        self._lease = DrillLease(access.ledger, plan.target)

    def run(self) -> DrillResult | None:
        """None if it was interrupted. Raises `Conflict` if it may not begin, `StoreUnavailable`."""
        with self._lease_held():
            return self._run()

    def _run(self) -> DrillResult | None:
        with self._paused():
            resume_at = time.monotonic() + self._plan.pause_s
            watched = self._under_way()
            gone_s = self._end_worker() if self._goes_on() else None
            while self._goes_on() and time.monotonic() < resume_at:
                self._pass_time()
            watched |= self._under_way()
        resumed_at = time.monotonic()
        waiting = self._settle(watched)
        recovery_s = None if waiting.keys() - WAITS else time.monotonic() - resumed_at
        if self._is_interrupted():
            return None
        records = self._access.invocations.read(sorted(watched))
        return DrillResult(
            balance=audit(self._access.ledger),
            states=Counter(record.state for record in records),
            waiting=waiting,
            watched=len(watched),
            worker_gone_s=gone_s,
            recovery_s=recovery_s,
        )

    def _end_worker(self) -> float | None:
        """How long it took until it answered no more (s); None where it still does."""
        worker, told_at = self._plan.worker, time.monotonic()
        self._workers.end(worker)
        self._say(f"{worker} is told to end.")
        gone_s: float | None = None
        while self._goes_on():
            self._renew()
            after_s = time.monotonic() - told_at
            if worker in self._workers.names():
                gone_s = None
            elif gone_s is None:
                gone_s = after_s  # once may be a worker under load, which answers late
            else:
                self._say(f"{worker} takes nothing any more.")
                return gone_s
        return None

    def _goes_on(self) -> bool:
        return not self._is_interrupted() and time.monotonic() < self._deadline

    def _pass_time(self) -> None:
        self._renew()
        time.sleep(LOOK_S)

    def _renew(self) -> None:
        with suppress(StoreUnavailable):  # a Redis that is away for longer than the lease resumes the target for us
            self._lease.renew()

    @contextmanager
    def _lease_held(self) -> Iterator[None]:
        try:
            start = self._lease.begin()
            if start is DrillStart.OTHER_DRILL:
                raise Conflict("another drill goes on, or was killed less than a minute ago")
            if start is DrillStart.PAUSED:
                raise Conflict(f"{self._plan.target} is paused already, and a drill would resume it")
            yield
        finally:
            with suppress(StoreUnavailable):  # it lapses
                self._lease.end()

    @contextmanager
    def _paused(self) -> Iterator[None]:
        target = self._plan.target
        try:
            log_steering(self._actor, target, "pause")
            self._say(f"{target} is paused.")
            yield
        finally:
            self._resume()
            log_steering(self._actor, target, "resume")
            self._say(f"{target} is resumed.")

    def _resume(self) -> None:
        deadline = time.monotonic() + RESUME_PATIENCE_S
        while True:
            try:
                return self._lease.resume()
            except StoreUnavailable as error:
                if time.monotonic() >= deadline:
                    remedy = f"{LEASE_S:g} s after it is back the workers resume {self._plan.target}"
                    raise StoreUnavailable(*error.args, remedy) from None
                time.sleep(LOOK_S)

    def _under_way(self) -> set[str]:
        return {
            leftover.record.id
            for leftover in find_unfinished_records(self._access)
            if leftover.record.state not in FINAL_STATES
        }

    def _settle(self, watched: set[str]) -> Counter[str]:
        """Waits until each of `watched` has ended or waits for one of `WAITS`; returns why those wait that have not.

        Twice in a row, as what moves while the ledger is read may be found in neither place.
        """
        quiet = 0
        while True:
            waiting = self._waiting(watched)
            quiet = 0 if waiting.keys() - WAITS else quiet + 1
            if quiet == 2 or not self._goes_on():
                return waiting
            self._pass_time()

    def _waiting(self, watched: set[str]) -> Counter[str]:
        waiting: Counter[str] = Counter()
        for leftover in find_unfinished_records(self._access):
            if leftover.record.id in watched and leftover.record.state not in FINAL_STATES:
                is_stopped = leftover.why == State.WAITING.value and leftover.has_open_breaker
                waiting["breaker" if is_stopped else leftover.why] += 1
        return waiting

"""Whatever happens in whatever order: the real scripts on a real Redis, driven at random, looked at after each step.

Workers begin, end and give back many at a time, among them what is lost, doubled, stale, of another format or broken;
leases lapse; clocks jump; Redis forgets what came since a snapshot. After every step each invocation stands in exactly
one place, every counter equals what it counts, no limit is exceeded, and what had ended is as it was, unless an
operator sent it again.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from longshore.ledger.audit import audit
from longshore.ledger.due_scores import NEVER_MS
from longshore.ledger.entry import AttemptEnd, Claim, ReportsAck, StartedAttempt
from longshore.ledger.faults import LedgerFault
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.record import UnknownFormat
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.seal import Sealer
from longshore.ledger.states import FINAL_STATES, State
from longshore.operations.ledger_access import LedgerAccess
from tests.support.ledger_census import Census, census

from .conftest import entry, span

LIMITS = Limits(target=3, lane=2, suspect=2, history=3)
WORKERS = ("worker-1", "worker-2")
TARGETS = ("http://a:80", "http://b:80")
LEASE_OVER = LIMITS.lease + 1
A_MINUTE = 61_000
RESULTS = st.sampled_from(["done", "done", "waiting", "dead", "unknown"])
REPORTS = (b"Lended", b"Sstatus")
SENT_AGAIN = {"requeued", "requeued_closed"}
"""What becomes of one that an operator sends again; `closed` if Port was told its end."""
WHICH = st.integers(0, 10)
_T = TypeVar("_T")


def one_of(some: Sequence[_T], which: int) -> _T | None:
    """One of `some`, counted from the newest. What is drawn must not depend on how many there are: that takes time."""
    return some[-1 - which % len(some)] if some else None


class LedgerMachine(RuleBasedStateMachine):
    """Ingest, pumps, workers and misfortune, each as rules."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.client = client = ledger.redis
        client.flushall()
        self.ledger = ledger
        access = LedgerAccess.build(ledger, Sealer("secret-0123456789"))
        self.letters, self.operator = access.invocations, access.requeue
        self.messages: list[Claim] = []
        self.attempts: list[StartedAttempt] = []
        self.snapshot: dict[bytes, tuple[bytes, int]] = {}
        self.offset = 0
        self.before: dict[str, str] = {}
        self.finishing: set[str] = set()
        self.requeued: set[str] = set()
        self.ledger.heartbeat(WORKERS[0], 4)

    # Intake

    @initialize()
    def a_backlog(self) -> None:
        """Something to do from the start."""
        for n in range(8):
            self.accept(
                TARGETS[n % 2], "x", ("retry", "park")[n % 4 == 0], 5, "", 1, 0, ("", "go_on k1")[n % 3 == 0], 0
            )

    @rule(
        to=st.sampled_from(TARGETS),
        action=st.sampled_from(["x", "y"]),
        unknown_outcome=st.sampled_from(["park", "retry"]),
        attempts=st.integers(1, 5),
        dead=st.sampled_from(["", "", "", "malformed"]),
        count=st.integers(1, 3),
        gap=st.integers(0, 2),
        order=st.sampled_from(["", "", "go_on k1", "hold k1", "go_on k2", "hold k2"]),
        max_claims=st.integers(0, 3),
    )
    def accept(
        self,
        to: str,
        action: str,
        unknown_outcome: str,
        attempts: int,
        dead: str,
        count: int,
        gap: int,
        order: str,
        max_claims: int,
    ) -> None:
        """New invocations arrive, between records that were not for us or are gone."""
        first = self.offset
        entries = [
            entry(
                f"r_{n}",
                to,
                action,
                n,
                unknown_outcome=unknown_outcome,
                max_attempts=attempts,
                dead=dead,
                order=order,
                reports=(b"Lone",),
            )
            for n in range(first, first + count)
        ]
        self.offset = first + count + gap
        accepted = self.ledger.accept([span(first, self.offset, None, not_for_agent=gap // 2)], entries, max_claims)
        assert ("accepted",) * count == accepted.results
        self.messages += accepted.claims

    @precondition(lambda self: self.offset)
    @rule(which=st.integers(0, 1000), shift=st.sampled_from([0, 1000]))
    def accept_again(self, which: int, shift: int) -> None:
        """What was read before comes once more, at its place or at another."""
        n = which % self.offset
        again = entry(f"r_{n}", offset=n + shift)
        known = bool(self.client.exists(self.ledger.keys.invocation(again.id)))
        accepted = self.ledger.accept([span(n + shift, n + shift + 1)], [again], 0)
        assert known == (accepted.results[0] != "accepted")

    # The fleet

    @rule(max_claims=st.integers(0, 6))
    def pump(self, max_claims: int) -> None:
        """Leases that are over lapse, and work is handed out."""
        claims, _ = self.ledger.pump(max_claims)[:2]
        assert len(claims) <= max_claims
        self.messages += claims

    @rule(worker=st.sampled_from(WORKERS), slots=st.sampled_from([0, 2, 4, 4]), renew=st.booleans())
    def heartbeat(self, worker: str, slots: int, renew: bool) -> None:
        """A worker says what it has, or withdraws."""
        self.ledger.heartbeat(worker, slots, [(one.id, one.token) for one in self.attempts] if renew else ())

    @rule(some=st.lists(WHICH, min_size=1, max_size=4), keep=st.booleans())
    def begin(self, some: list[int], keep: bool) -> None:
        """A worker receives messages, perhaps old ones, perhaps for the second time, perhaps one twice."""
        claims = [claim for which in some if (claim := one_of(self.messages, which))]
        if not keep:
            self.messages = [message for message in self.messages if message not in claims]
        self._begin(claims)

    def _begin(self, claims: Sequence[Claim]) -> None:
        newest = {id: self.client.hget(self.ledger.keys.invocation(id), "token") for id in {one.id for one in claims}}
        loaded = self.ledger.load([(claim.id, claim.token) for claim in claims])
        assert len(loaded) == len(claims)
        attempts = [attempt for attempt in loaded if isinstance(attempt, StartedAttempt)]
        self._release([claim for claim, one in zip(claims, loaded, strict=True) if isinstance(one, UnknownFormat)])
        for attempt, first_ms in zip(
            attempts, self.ledger.begin([(one.id, one.token) for one in attempts]), strict=True
        ):
            if isinstance(first_ms, int):
                assert newest[attempt.id] == b"%d" % attempt.token
                self.attempts.append(dataclasses.replace(attempt, first_ms=first_ms))

    @rule(
        some=st.lists(WHICH, min_size=1, max_size=4),
        results=st.lists(st.sampled_from(["done", "waiting", "dead", "unknown"]), min_size=1, max_size=4),
        delay_ms=st.sampled_from([0, 60_000]),
        keep=st.booleans(),
        max_claims=st.integers(0, 2),
        clears=st.booleans(),
    )
    def finish(
        self, some: list[int], results: list[str], delay_ms: int, keep: bool, max_claims: int, clears: bool
    ) -> None:
        """Attempts end, perhaps long after their leases, perhaps told twice or in two ways, perhaps cut off."""
        self._finish([one_of(self.attempts, which) for which in some], results, delay_ms, keep, max_claims, clears)

    def _finish(
        self,
        some: Sequence[StartedAttempt | None],
        results: Sequence[str],
        delay_ms: int,
        keep: bool,
        max_claims: int,
        clears: bool = True,
    ) -> None:
        attempts = [attempt for attempt in some if attempt]
        if not keep:
            self.attempts = [attempt for attempt in self.attempts if attempt not in attempts]
        self.finishing |= {attempt.id for attempt in attempts}
        ends = [
            (attempt, AttemptEnd(State(result), "because", 500, delay_ms, b"attempt", REPORTS, clears=clears))
            for attempt, result in zip(attempts, itertools.cycle(results), strict=False)
        ]
        states, claims, workers = self.ledger.finish(ends, max_claims)
        assert workers == self.client.zcard(self.ledger.keys.fleet)
        self.messages += claims
        self.attempts += [
            attempt
            for attempt, state in zip(attempts, states, strict=True)
            if isinstance(state, LedgerFault) and attempt not in self.attempts
        ]

    @rule(results=st.lists(RESULTS, min_size=2, max_size=6))
    def a_fleet_works(self, results: list[str]) -> None:
        """As it goes where nothing is wrong: workers with slots, messages that arrive, attempts that end."""
        self._begin_all()
        self._finish(self.attempts[-len(results) :], results, 0, keep=False, max_claims=len(results))

    @rule(deaths=st.integers(1, 3), max_claims=st.sampled_from([0, 0, 2]), late=st.lists(RESULTS, max_size=3))
    def workers_die(self, deaths: int, max_claims: int, late: list[str]) -> None:
        """One after the other, with all that they had begun; some only seemed dead and answer late."""
        for _ in range(deaths):
            self._begin_all()
            self._leases_end()
            self.ledger.heartbeat(WORKERS[0], 4)
            claims, _ = self.ledger.pump(max_claims)[:2]
            assert {None} >= set(self.ledger.begin([(claim.id, claim.token - 1) for claim in claims]))
            self.messages += claims
        if late:
            self._finish([one_of(self.attempts, which) for which in range(3)], late, 0, keep=True, max_claims=0)

    def _begin_all(self) -> None:
        for worker in WORKERS:
            self.ledger.heartbeat(worker, 4)
        claims, _ = self.ledger.pump()[:2]
        self.messages += claims  # and each may come once more
        self._begin(claims)

    @rule(some=st.lists(WHICH, min_size=1, max_size=4), to=st.sampled_from([None, *TARGETS]))
    def return_unsent(self, some: list[int], to: str | None) -> None:
        """A draining worker gives back what it has not begun; or an attempt belongs elsewhere."""
        if to is None:
            self._release([claim for which in some if (claim := one_of(self.messages, which))])
        elif begun := one_of(self.attempts, some[0]):
            self.ledger.defer(begun, to, f"{to}|z")

    def _release(self, claims: Sequence[Claim]) -> None:
        self.ledger.release([(claim.id, claim.token) for claim in claims])

    @rule(fail=st.booleans())
    def report(self, fail: bool) -> None:
        """A sender takes reports and delivers them, or some."""
        taken = ReportOutbox(self.ledger).lease(3, 60_000)
        ReportOutbox(self.ledger).ack([ReportsAck(one, one.items[1:] if fail else ()) for one in taken + taken[:1]])

    # Operators

    @rule(which=WHICH, replay=st.booleans(), stale=st.booleans())
    def requeue(self, which: int, replay: bool, stale: bool) -> None:
        """One that has ended is sent again, perhaps by somebody who has looked at it before it was sent again."""
        self._mend()
        id = one_of([id for id, state in sorted(self.before.items()) if state in FINAL_STATES], which)
        letter = self.letters.get(id) if id else None
        if letter is None:
            return
        if stale:
            letter = dataclasses.replace(letter, generation=letter.generation + 1)
        became = self.operator.requeue_one(letter, RequeueRequest("ann", "it is back", replay=replay))
        if stale or (letter.state == "done" and not replay):
            assert became == ("changed" if stale else "delivered")
        else:
            assert became in SENT_AGAIN
            self.requeued.add(letter.id)

    @rule(count=st.integers(1, 4), steps=st.integers(1, 3))
    def requeue_many(self, count: int, steps: int) -> None:
        """A job of what is dead or unknown, whose steps more than one worker takes."""
        self._mend()
        ended = [id for id, state in sorted(self.before.items()) if state in ("dead", "unknown")][:count]
        letters = [letter for id in ended if (letter := self.letters.get(id))]
        if letters:
            job = self.operator.start_job(letters, RequeueRequest("ann", "it is back", rate=0))
            for _ in range(steps):
                self.operator.run_due()
            after = self.operator.job(job.id)
            assert after is not None
            assert (after.state, after.started) == ("done", len(letters))
            assert after.counts.keys() <= SENT_AGAIN
            assert len(letters) == sum(after.counts.values())
            self.requeued |= set(ended)

    # Misfortune

    @rule(which=WHICH, what=st.sampled_from(["history", "reports", "format", "mend"]))
    def breaks(self, which: int, what: str) -> None:
        """Somebody else writes to the keys of a record; or another version has written it."""
        attempt = one_of(self.attempts, which) or one_of(self.messages, which)
        if what == "mend":
            self._mend()
        elif attempt and what == "format":
            if self.client.exists(self.ledger.keys.invocation(attempt.id)):
                self.client.hset(self.ledger.keys.invocation(attempt.id), "format", 9)
        elif attempt:
            keys = self.ledger.keys
            name = keys.attempts(attempt.id) if what == "history" else keys.reports(attempt.id)
            if what == "history" or self.client.exists(name):
                self.client.set(name, "no list")

    def _mend(self) -> None:
        """Nothing is broken any more."""
        names: Any = self.client.keys(f"{self.ledger.keys.prefix}*")
        for name in names:
            kind, _, _ = name.decode().removeprefix(self.ledger.keys.prefix).partition(":")
            if kind == "inv":
                self.client.hset(name, "format", 1)
            elif kind in ("att", "out") and self.client.type(name) == b"string":
                self.client.delete(name)
                if kind == "out":
                    self.client.rpush(name, "Lone")

    @rule(
        what=st.sampled_from(
            ["lost", "leases", "back", "forth", "minute", "minute", "remember", "remember", "roll back"]
        )
    )
    def misfortune(self, what: str) -> None:
        """Time passes, clocks jump, messages are lost, Redis forgets."""
        match what:
            case "lost":
                self.messages.clear()
            case "leases":
                self._leases_end()
            case "back" | "forth":
                self.client.hincrby(self.ledger.keys.clock, "last", 3_600_000 if what == "forth" else -3_600_000)
            case "minute":
                self._a_minute_passes()
            case "remember":
                names: Any = self.client.keys("*")
                self.snapshot = {name: (self.client.dump(name) or b"", self._ttl_ms(name)) for name in names}
            case "roll back" if self.snapshot:
                self._roll_back()

    def _ttl_ms(self, name: bytes) -> int:
        ttl_ms: Any = self.client.pttl(name)
        return max(0, int(ttl_ms))

    def _leases_end(self) -> None:
        self.client.hincrby(self.ledger.keys.clock, "lease", LEASE_OVER)

    def _a_minute_passes(self) -> None:
        """All that waited for its time is due."""
        names: Any = self.client.keys(f"{self.ledger.keys.prefix}*")
        for name in names:
            plain = name.decode().removeprefix(self.ledger.keys.prefix)
            if plain.startswith(("wait:", "lanes:")) or plain in ("targets", "outbox"):
                scores: Any = self.client.zrange(name, 0, -1, withscores=True)
                if later := {member: score - A_MINUTE for member, score in scores if 1e12 < score < NEVER_MS}:
                    self.client.zadd(name, later)

    def _roll_back(self) -> None:
        """Redis comes back with what it had on disk; the workers know more than it does."""
        self.client.flushall()
        for name, (value, ttl_ms) in self.snapshot.items():
            self.client.restore(name, ttl_ms, value)
        self.before = census(self.client, self.ledger.keys).states
        self.ledger.heartbeat(WORKERS[0], 4)

    # What holds after each step, and at the end

    def teardown(self) -> None:
        """The audit says the same."""
        found = audit(self.ledger)
        assert found.is_balanced, (found.unaccounted, found.problems)

    @invariant()
    def all_is_well(self) -> None:
        """See the census."""
        now = census(self.client, self.ledger.keys)
        assert [] == now.problems()
        self._limits_hold(now)
        self._ends_are_final(now.states)
        self.before, self.finishing, self.requeued = now.states, set(), set()

    def _limits_hold(self, now: Census) -> None:
        assert all(busy <= LIMITS.target for busy in now.target_busy.values())
        for lane, busy in now.lane_busy.items():
            assert busy <= (len(WORKERS) if lane == "!suspects" else LIMITS.lane)

    def _ends_are_final(self, states: dict[str, str]) -> None:
        for id, state in self.before.items():
            after = states.get(id)
            if id in self.requeued:
                assert after == "waiting"
            elif state in ("done", "dead"):
                assert after == state
            elif state == "unknown" and after != state:
                assert id in self.finishing
                assert after in ("done", "dead", "waiting", "claimed")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("lasts", [True, False])
def test_every_invocation_is_in_one_place_whatever_happens(client: "redis.Redis", lasts: bool) -> None:
    """Six hundred steps, each followed by a look at everything; also where offsets of what is open are kept."""
    ledger = Ledger(client, Keys.of("org/agent"), dataclasses.replace(LIMITS, open=not lasts))
    run_state_machine_as_test(
        lambda: LedgerMachine(ledger),  # type: ignore[arg-type]
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            # Nothing is made shorter: that takes minutes, and what fails, fails again.
            phases=[Phase.generate],
            report_multiple_bugs=False,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

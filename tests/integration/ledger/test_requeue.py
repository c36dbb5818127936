"""Sending again: each once, whatever crashes; and what cannot be sent says why."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import pytest
import redis

from longshore.ledger.entry import AttemptEnd
from longshore.ledger.invocations import InvocationReader, InvocationRecord
from longshore.ledger.ledger import Ledger
from longshore.ledger.requeue import Requeuer, RequeueRequest
from longshore.ledger.retention import Retention
from longshore.ledger.scan import Filter
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.operations.ledger_access import LedgerAccess
from tests.support.one_claim import begin_one, finish_one

from .conftest import entry, lapse, span, state, store

SEALER = Sealer("secret")
ORDER = RequeueRequest("ann", "the target is back", rate=0)


@pytest.fixture
def letters(ledger: Ledger) -> InvocationReader:
    return LedgerAccess.build(ledger, SEALER).invocations


@pytest.fixture
def requeue(ledger: Ledger) -> Requeuer:
    return LedgerAccess.build(ledger, SEALER).requeue


def end(ledger: Ledger, result: str = "dead", reason: str = "http_404") -> list[str]:
    """Begins and ends everything that may start."""
    claims, _ = ledger.pump()[:2]
    for claim in claims:
        begin_one(ledger, claim.id, claim.token)
        finish = AttemptEnd(State(result), reason, 404, attempt=SEALER.seal(b'{"cause": "no hook"}'))
        finish_one(ledger, claim.id, claim.token, finish)
    return [claim.id for claim in claims]


def dead(ledger: Ledger, *ids: str, **more: Any) -> None:
    store(ledger, *(entry(id, payload=SEALER.seal(b"{}"), **more) for id in ids))
    while end(ledger):
        pass


def the(letters: InvocationReader, id: str) -> InvocationRecord:
    letter = letters.get(id)
    assert letter is not None
    return letter


def test_a_requeued_invocation_begins_anew_as_the_next_generation(
    ledger: Ledger, letters: InvocationReader, requeue: Requeuer
) -> None:
    """All its attempts are before it again; who, when and why stay in its history."""
    dead(ledger, "r_1")
    assert "requeued" == requeue.requeue_one(the(letters, "r_1"), ORDER)

    ((claim,), _) = ledger.pump()[:2]
    assert (2, 0) == (claim.generation, claim.attempts)
    note = letters.history("r_1")[-1]
    assert ("ann", "the target is back") == (note["requeued_by"], note["why"])
    assert not list(letters.find(Filter()))


def test_two_people_requeue_one_letter_once(ledger: Ledger, letters: InvocationReader, requeue: Requeuer) -> None:
    """Both looked at the same generation."""
    dead(ledger, "r_1")
    seen = the(letters, "r_1")
    assert ["requeued", "changed"] == [requeue.requeue_one(seen, ORDER), requeue.requeue_one(seen, ORDER)]


def test_what_has_not_ended_or_was_delivered_is_left_alone(
    ledger: Ledger, letters: InvocationReader, requeue: Requeuer, client: "redis.Redis"
) -> None:
    """A replay has to be meant; what is kept no longer cannot be sent."""
    store(ledger, entry("r_1"))
    assert "busy" == requeue.requeue_one(the(letters, "r_1"), ORDER)
    end(ledger, "done", "delivered")
    assert "delivered" == requeue.requeue_one(the(letters, "r_1"), ORDER)
    replay = RequeueRequest("ann", "once more", replay=True)
    assert "requeued" == requeue.requeue_one(the(letters, "r_1"), replay)
    assert -1 == client.ttl(ledger.keys.invocation("r_1"))
    end(ledger, "done", "delivered")
    client.delete(ledger.keys.payload("r_1"))
    assert "no_payload" == requeue.requeue_one(the(letters, "r_1"), replay)


def test_a_run_that_port_has_closed_says_so(ledger: Ledger, letters: InvocationReader, requeue: Requeuer) -> None:
    """Only its log will tell what comes of it."""
    store(ledger, entry("r_1", payload=SEALER.seal(b"{}")))
    (claim,), _ = ledger.pump()[:2]
    begin_one(ledger, "r_1", claim.token)
    finish_one(ledger, "r_1", claim.token, AttemptEnd(State.DEAD, "http_404", reports=(b"SFAILURE",)))
    assert "requeued_closed" == requeue.requeue_one(the(letters, "r_1"), ORDER)


def test_a_late_answer_of_an_earlier_generation_is_stale(
    ledger: Ledger, letters: InvocationReader, requeue: Requeuer
) -> None:
    """It says nothing about the attempt that an operator asked for."""
    store(ledger, entry("r_1", payload=SEALER.seal(b"{}")))
    (claim,), _ = ledger.pump()[:2]
    begin_one(ledger, "r_1", claim.token)
    finish_one(ledger, "r_1", claim.token, AttemptEnd(State.UNKNOWN, "read_timeout"))
    requeue.requeue_one(the(letters, "r_1"), ORDER)

    assert "stale" == finish_one(ledger, "r_1", claim.token, AttemptEnd(State.DONE, "delivered", 200), max_claims=0)[0]
    assert "waiting" == state(ledger, "r_1")


def test_letters_are_found_by_what_stands_in_clear_and_by_text(ledger: Ledger, letters: InvocationReader) -> None:
    """Newest first; the text is looked for in what the attempts say."""
    dead(ledger, "r_1", "r_2")
    dead(ledger, "cl.1", target="http://b:80")
    found = [letter.id for letter in letters.find(Filter(target="http://a:80"))]
    assert {"r_1", "r_2"} == set(found)
    assert ["cl.1"] == [letter.id for letter in letters.find(Filter(target="http://b:80", text="no hook"))]
    assert not list(letters.find(Filter(text="nowhere")))
    assert {("dead", "http_404"): 3} == dict(letters.count(Filter()))
    assert 2 == letters.purge(["r_1", "r_2", "r_none"])
    assert ["cl.1"] == [letter.id for letter in letters.find(Filter())]


def test_a_job_sends_each_once_and_survives_being_interrupted(
    ledger: Ledger, letters: InvocationReader, requeue: Requeuer
) -> None:
    """Any worker carries it on; what somebody requeued meanwhile is left."""
    dead(ledger, *(f"r_{n}" for n in range(30)))
    requeue.requeue_one(the(letters, "r_7"), ORDER)
    end(ledger, "done", "delivered")
    job = requeue.start_job([*letters.find(Filter()), the(letters, "r_7")], ORDER)
    while requeue.run_due():
        pass
    ended = requeue.job(job.id)

    assert ended is not None
    assert ("done", 30, {"requeued": 29, "delivered": 1}) == (ended.state, ended.started, ended.counts)
    assert 29 == len(end(ledger, "done", "delivered"))
    assert [job.id] == [one.id for one in requeue.jobs()]


def test_a_job_keeps_its_rate(ledger: Ledger, letters: InvocationReader, requeue: Requeuer) -> None:
    """At one a second, two steps in a row send one."""
    dead(ledger, *(f"r_{n}" for n in range(5)))
    job = requeue.start_job(letters.find(Filter()), RequeueRequest("ann", "slowly", rate=1))
    assert requeue.run_due()
    assert requeue.run_due()
    now = requeue.job(job.id)
    assert now is not None
    assert 1 == now.started


@pytest.mark.parametrize("result", ["done", "dead"])
def test_a_canary_decides_over_the_rest(
    ledger: Ledger, letters: InvocationReader, requeue: Requeuer, result: str
) -> None:
    """Two first; the others only if both are delivered."""
    dead(ledger, *(f"r_{n}" for n in range(10)))
    job = requeue.start_job(letters.find(Filter()), RequeueRequest("ann", "carefully", rate=0, canary=2))
    for _ in range(3):
        requeue.run_due()
    assert 2 == len(end(ledger, result, "http_404"))
    requeue.run_due()
    requeue.run_due()
    now = requeue.job(job.id)
    assert now is not None
    assert ("done", 10) == (now.state, now.started) if result == "done" else ("stopped", 2) == (now.state, now.started)
    if result == "dead":
        requeue.resume(job.id)
        requeue.run_due()
        assert 8 == len(end(ledger, "done", "delivered"))


def test_a_paused_job_goes_on_where_it_was(ledger: Ledger, letters: InvocationReader, requeue: Requeuer) -> None:
    """Also in the middle of watching its canary."""
    dead(ledger, *(f"r_{n}" for n in range(4)))
    job = requeue.start_job(letters.find(Filter()), RequeueRequest("ann", "carefully", rate=0, canary=1))
    requeue.run_due()
    requeue.pause(job.id)
    assert not requeue.run_due()
    requeue.resume(job.id)
    requeue.run_due()
    now = requeue.job(job.id)
    assert now is not None
    assert ("watching", 1) == (now.state, now.started)


@pytest.mark.parametrize(("actor", "why"), [("", "x"), ("ann", " ")])
def test_nobody_requeues_without_a_name_and_a_reason(actor: str, why: str) -> None:
    """Both are kept."""
    with pytest.raises(ValueError, match="actor and a reason"):
        RequeueRequest(actor, why)


def test_jobs_of_thousands_are_stored_in_pieces(make_ledger: Callable[..., Ledger]) -> None:
    """One command with 100,000 ids would hold Redis up."""
    ledger = make_ledger()
    access = LedgerAccess.build(ledger, SEALER)
    letters, requeue = access.invocations, access.requeue
    store(ledger, *(entry(f"r_{n}", dead="malformed") for n in range(2500)))
    job = requeue.start_job(letters.find(Filter()), ORDER)
    assert 2500 == job.total == ledger.redis.llen(f"{ledger.keys.job(job.id)}:ids")


def test_only_what_has_ended_is_purged(ledger: Ledger, letters: InvocationReader) -> None:
    """What waits, is under way or was delivered is no letter."""
    store(ledger, entry("r_1"))
    assert 0 == letters.purge(["r_1"])
    end(ledger, "done", "delivered")
    assert (0, "done") == (letters.purge(["r_1"]), state(ledger, "r_1"))


def test_letters_beyond_the_most_that_are_kept_go_after_a_warning(
    make_ledger: Callable[..., Ledger], client: "redis.Redis"
) -> None:
    """The oldest first; one warning an hour for the whole fleet, before the first is gone."""
    ledger = make_ledger(keep_dead_count=10)
    ledger.heartbeat("worker-1", 100)
    dead(ledger, *(f"r_{n}" for n in range(9)))
    retention = Retention(ledger)
    assert [("dead", 9, 0, 0, True)] == [astuple(one) for one in retention.expiring_soon()]
    assert ([], 0) == (retention.expiring_soon(), retention.prune())
    ledger.accept([span(9, 13)], [entry(f"r_{n}", offset=n, payload=b"p") for n in range(9, 13)], 0)
    end(ledger)
    assert (3, 10) == (retention.prune(), client.zcard(ledger.keys.dead))
    assert "" == state(ledger, "r_0")
    assert "dead" == state(ledger, "r_12")


def test_letters_that_go_within_a_day_are_warned_of(make_ledger: Callable[..., Ledger]) -> None:
    """Or within half of the time they are kept, if that is shorter."""
    ledger = make_ledger(keep_dead=3 * 86_400_000)
    ledger.heartbeat("worker-1", 100)
    dead(ledger, "r_1", "r_2")
    retention = Retention(ledger)
    assert [] == retention.expiring_soon()
    ledger.redis.zincrby(ledger.keys.dead, -2.5 * 86_400_000, "r_1")
    assert [("dead", 2, 1, 0, False)] == [astuple(one) for one in retention.expiring_soon()]
    assert 0 == retention.prune()


@pytest.mark.parametrize("found_by", ["the worker that tried it", "whoever found its lease"])
def test_a_requeued_poison_is_tried_alone_again(
    ledger: Ledger, letters: InvocationReader, requeue: Requeuer, found_by: str
) -> None:
    """Nothing has proved that it kills no workers. Its letter stands under its action, and a good end clears it."""
    store(ledger, entry("r_1", payload=SEALER.seal(b"{}"), unknown_outcome="retry", lane="http://a:80 deploy"))
    for deaths in range(4):
        ((claim,), _) = ledger.pump()[:2]
        begin_one(ledger, "r_1", claim.token)
        if deaths == 3 and found_by == "the worker that tried it":
            finish_one(ledger, "r_1", claim.token, AttemptEnd(State.DEAD, "poison", clears=False))
        else:
            lapse(ledger, "r_1")
            ledger.pump(0)
    letter = the(letters, "r_1")
    assert ("dead", "poison", "http://a:80 deploy") == (letter.state, letter.reason, letter.lane)

    requeue.requeue_one(letter, ORDER)
    assert "http://a:80!suspects" == the(letters, "r_1").lane
    ((claim,), _) = ledger.pump()[:2]
    begun = begin_one(ledger, "r_1", claim.token)
    assert begun is not None
    assert ledger.limits.suspect == begun.deaths
    finish_one(ledger, "r_1", claim.token, AttemptEnd(State.DONE, "delivered", 200))
    assert "http://a:80 deploy" == the(letters, "r_1").lane


def test_a_trial_that_was_cut_off_clears_nobody(ledger: Ledger, client: "redis.Redis") -> None:
    """A drain, or a deadline: nobody knows yet whether it kills workers."""
    store(ledger, entry("r_1", unknown_outcome="retry"))
    client.hset(ledger.keys.invocation("r_1"), "deaths", 3)
    ((claim,), _) = ledger.pump()[:2]
    begin_one(ledger, "r_1", claim.token)
    finish_one(ledger, "r_1", claim.token, AttemptEnd(State.WAITING, "drained", clears=False), max_claims=0)
    assert b"3" == client.hget(ledger.keys.invocation("r_1"), "deaths")

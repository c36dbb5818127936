"""Everything that was accepted is somewhere, once; and whatever is not is found."""

import pytest
import redis

from longshore.ledger.audit import PAGE, audit
from longshore.ledger.entry import AttemptEnd
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from tests.support.one_claim import begin_one, finish_one

from .conftest import entry, lapse, span, store


@pytest.fixture
def busy(ledger: Ledger) -> Ledger:
    """A ledger with an invocation in every state but held, more than a page of them waiting."""
    ids = [f"r_{n}" for n in range(PAGE + 20)]
    dead = entry("dead", dead="malformed", offset=len(ids))
    gone = entry("gone", dead="malformed", offset=len(ids) + 1)
    entries = [*(entry(id, f"http://t{n}:80", offset=n) for n, id in enumerate(ids)), dead, gone]
    ledger.accept([span(0, len(entries) + 5, not_for_agent=2)], entries, 0)
    ledger.redis.zadd(ledger.keys.dead, {"gone": 1})
    ledger.prune()
    done, unknown, begun, *_ = ledger.pump(4)[0]
    for claim in (done, unknown, begun):
        begin_one(ledger, claim.id, claim.token)
    finish_one(ledger, done.id, done.token, AttemptEnd(State.DONE, "delivered"), max_claims=0)
    lapse(ledger, unknown.id)
    ledger.pump(0)
    return ledger


def test_a_ledger_adds_up(busy: Ledger) -> None:
    """By partition and by state, also what is gone for a reason."""
    balance = audit(busy)

    assert balance.is_balanced, balance.problems
    assert (PAGE + 22, 1, 0, 0) == (balance.accepted, balance.removed, balance.expired, balance.unaccounted)
    present = {"waiting": PAGE + 16, "claimed": 1, "begun": 1, "done": 1, "unknown": 1, "dead": 1}
    assert present == dict(balance.present) == dict(balance.states["org_1.runs/0"])
    assert (PAGE + 27, 2, 3) == tuple(
        balance.partitions["org_1.runs/0"][n] for n in ("read", "skipped:not_for_agent", "gaps")
    )


def test_a_delivered_one_may_expire_and_anything_else_may_not(busy: Ledger, client: "redis.Redis") -> None:
    """The record of what was delivered is kept for a day; the others until somebody decides."""
    (done,) = [id for id in (f"r_{n}" for n in range(PAGE)) if client.ttl(busy.keys.invocation(id)) > 0]
    client.delete(busy.keys.invocation(done))
    assert (1, 0) == (audit(busy).expired, audit(busy).unaccounted)

    client.delete(busy.keys.invocation("dead"))
    balance = audit(busy)
    assert (1, False) == (balance.unaccounted, balance.is_balanced)
    assert [("dead", "stands in dead but has no record")] == balance.problems


def test_a_replay_hides_no_loss(ledger: Ledger, client: "redis.Redis") -> None:
    """It is delivered twice, and one invocation all the same."""
    store(ledger, entry("r_1"))
    for again in (True, False):
        ((claim,), _) = ledger.pump()[:2]
        begin_one(ledger, "r_1", claim.token)
        finish_one(ledger, "r_1", claim.token, AttemptEnd(State.DONE, "delivered"), max_claims=0)
        if again:
            assert b"requeued" == ledger.run_script("requeue", b"r_1", "", "1", b"note")
    store(ledger, entry("r_2"))
    assert audit(ledger).is_balanced

    client.delete(ledger.keys.invocation("r_2"), ledger.keys.waiting("http://a:80 deploy"))
    assert (1, 0) == (audit(ledger).unaccounted, audit(ledger).expired)


def test_an_id_in_no_place_or_in_two_is_named(busy: Ledger, client: "redis.Redis") -> None:
    """The first would never be looked at again, the second perhaps sent twice."""
    last = f"r_{PAGE + 1}"
    client.zadd(busy.keys.leases, {last: 1e15})
    assert [(last, "is waiting but stands in leased")] == audit(busy).problems
    client.zrem(busy.keys.leases, last)
    client.zrem(busy.keys.waiting(f"http://t{PAGE + 1}:80 deploy"), last)
    ((id, problem),) = audit(busy).problems
    assert (last, True) == (id, problem.startswith("is waiting but does not stand in wait:"))


def test_a_partition_whose_offsets_do_not_add_up_is_named(busy: Ledger, client: "redis.Redis") -> None:
    """Read = accepted + repeated + skipped + gaps."""
    client.hincrby(busy.keys.partition("org_1.runs", 0), "read", 1)

    ((what, _),) = audit(busy).problems
    assert "org_1.runs/0" == what


def test_looking_changes_nothing(busy: Ledger, client: "redis.Redis") -> None:
    """Safe on a live system."""
    before = {name: client.dump(name) for name in client.keys("*")}
    audit(busy)
    assert before == {name: client.dump(name) for name in client.keys("*")}


def test_an_empty_ledger_adds_up(ledger: Ledger) -> None:
    """Nothing is nothing."""
    store(ledger)
    assert audit(ledger).is_balanced

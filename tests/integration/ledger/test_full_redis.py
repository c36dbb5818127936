"""At `maxmemory`: what people on call do works, as much of it makes room; also on a Redis that knows no script yet."""

from collections.abc import Iterator

import pytest
import redis

from longshore.ledger.entry import AttemptEnd
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.ledger import Ledger
from longshore.ledger.requeue import Requeuer, RequeueRequest
from longshore.ledger.scan import Filter
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.ledger.targets import TargetControls
from longshore.operations.ledger_access import LedgerAccess
from tests.support.one_claim import begin_one, finish_one

from .conftest import entry, state, store

SEALER = Sealer("secret-0123456789")
ORDER = RequeueRequest("ann", "there must be room", rate=0)
TARGET = "http://a:80"
IDS = ["r_1", "r_2", "r_3"]


@pytest.fixture
def full(ledger: Ledger) -> Iterator[Ledger]:
    """Three dead letters in a Redis that takes nothing more and has forgotten all scripts."""
    store(ledger, *(entry(id, TARGET, payload=SEALER.seal(b"{}")) for id in IDS))
    for claim in ledger.pump()[0]:
        begin_one(ledger, claim.id, claim.token)
        finish_one(ledger, claim.id, claim.token, AttemptEnd(State.DEAD, "http_404", 404))
    ledger.redis.script_flush()
    ledger.redis.config_set("maxmemory", 1)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        ledger.redis.set("more", "of it")
    yield ledger
    ledger.redis.config_set("maxmemory", 0)


@pytest.fixture
def requeue(full: Ledger) -> Requeuer:
    """An operator's means."""
    return LedgerAccess.build(full, SEALER).requeue


def found(ledger: Ledger) -> list[InvocationRecord]:
    """What is dead, as an operator lists it."""
    return list(LedgerAccess.build(ledger, SEALER).invocations.find(Filter()))


def test_letters_are_listed_and_one_is_sent_again(full: Ledger, requeue: Requeuer) -> None:
    """And delivered: workers go on as well."""
    letters = found(full)
    assert set(IDS) == {letter.id for letter in letters}

    assert "requeued" == requeue.requeue_one(letters[0], ORDER)

    (claim,) = full.pump()[0]
    assert begin_one(full, claim.id, claim.token)
    assert "done" == finish_one(full, claim.id, claim.token, AttemptEnd(State.DONE, "delivered"))[0]


def test_a_job_is_made_held_and_carried_on(full: Ledger, requeue: Requeuer) -> None:
    """From its list to its last step."""
    job = requeue.start_job(found(full), ORDER)

    requeue.pause(job.id)
    assert not requeue.run_due()
    requeue.resume(job.id)
    assert requeue.run_due()

    done = requeue.job(job.id)
    assert done is not None
    assert ("done", {"requeued": 3}) == (done.state, done.counts)
    assert ["waiting"] * 3 == [state(full, id) for id in IDS]


def test_targets_are_paused_limited_and_resumed(full: Ledger, requeue: Requeuer) -> None:
    """An operator's word counts at once."""
    targets = TargetControls(full.redis, full.keys, full.limits)
    for letter in found(full):
        requeue.requeue_one(letter, ORDER)

    targets.set(TARGET, "", TargetControl(paused=True))
    assert not full.pump()[0]
    targets.set(TARGET, "", TargetControl(concurrency=2), close_breaker=True)
    assert 2 == len(full.pump()[0])

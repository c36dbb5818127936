"""What would grow, or last, beyond its bounds."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from longshore.ledger.entry import AttemptEnd
from longshore.ledger.ledger import Ledger
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.operations.ledger_access import LedgerAccess
from tests.support.one_claim import begin_one, finish_one

from .conftest import entry, store

MakeLedger = Callable[..., Ledger]
SEALER = Sealer("secret")
DEAD = AttemptEnd(State.DEAD, "http_404", 404, attempt=b"a")


def give_up_on_all(ledger: Ledger) -> None:
    claims, _ = ledger.pump()[:2]
    for claim in claims:
        assert begin_one(ledger, claim.id, claim.token) is not None
        finish_one(ledger, claim.id, claim.token, DEAD, max_claims=0)


def test_the_history_stays_bounded_however_often_an_invocation_is_requeued(make_ledger: MakeLedger) -> None:
    """Attempts are counted anew with each requeue, their history is not."""
    ledger = make_ledger(history=3)
    ledger.heartbeat("worker-1", 10)
    access = LedgerAccess.build(ledger, SEALER)
    requeue, letters = access.requeue, access.invocations
    store(ledger, entry("r_1"))
    give_up_on_all(ledger)
    for _ in range(5):
        (letter,) = letters.read(["r_1"])
        assert "requeued" == requeue.requeue_one(letter, RequeueRequest("ann", "again"))
        give_up_on_all(ledger)

    kept: Any = ledger.redis.llen(ledger.keys.attempts("r_1"))
    assert 3 == kept


@pytest.mark.parametrize("canary", [0, 1])
def test_a_job_lasts_while_it_works_and_no_longer(ledger: Ledger, client: "redis.Redis", canary: int) -> None:
    """A slow one may take longer than it is kept after its end; all that belongs to it goes at last."""
    access = LedgerAccess.build(ledger, SEALER)
    requeue, letters = access.requeue, access.invocations
    store(ledger, entry("r_1"), entry("r_2", offset=1), entry("r_3", offset=2))
    give_up_on_all(ledger)
    job = requeue.start_job(letters.read(["r_1", "r_2", "r_3"]), RequeueRequest("ann", "again", rate=1, canary=canary))
    for key in client.keys(f"{ledger.keys.job(job.id)}*"):
        client.expire(key, 60)

    requeue.run_due()

    keys = client.keys(f"{ledger.keys.job(job.id)}*")
    assert len(keys) == 2 + canary
    assert all(client.ttl(key) > 3600 for key in keys)


def test_a_clock_that_went_back_does_not_hold_a_limited_target_up(make_ledger: MakeLedger) -> None:
    """Its next start was reckoned by a clock that was an hour ahead."""
    ledger = make_ledger(rate=10)
    ledger.heartbeat("worker-1", 10)
    hour_ahead = ledger.clock_ms() + 3_600_000
    ledger.redis.hset(ledger.keys.starts, "http://a:80", hour_ahead)
    store(ledger, entry("r_1"), entry("r_2", offset=1))

    started: list[str] = []
    for _ in range(2):
        claims, _ = ledger.pump()[:2]
        started += [claim.id for claim in claims]
        assert all(claim.start_ms < hour_ahead - 3_000_000 for claim in claims)
        next_visit = ledger.redis.zscore(ledger.keys.targets, "http://a:80")
        assert (next_visit or 0) < hour_ahead - 3_000_000
        # Its turn comes.
        ledger.redis.zadd(ledger.keys.targets, {"http://a:80": 1}, xx=True)
        ledger.redis.hset(ledger.keys.starts, "http://a:80", 0)
    assert {"r_1", "r_2"} == set(started)

"""A target that never answers has its share and no more: what waits for it costs the others neither a place nor work.

How long things take is measured by `make bench ROW=hang`; here stands what that rests on.
"""

from typing import Any

import pytest

from longshore.ledger.entry import AttemptEnd, Claim
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from tests.support.one_claim import begin_one, finish_one

from .conftest import entry, store

HANGING = "http://hanging:80"
DONE = AttemptEnd(State.DONE, "delivered", 200, about_target="well", about_lane="well")
HEALTHY = [pytest.param("http://healthy:80", id="other target"), pytest.param(HANGING, id="other route of a gateway")]


def fill(ledger: Ledger, count: int) -> None:
    """So many wait for the hanging target, and its share of them is in flight."""
    store(ledger, *(entry(f"h_{n}", HANGING, "hang", n) for n in range(count)))
    taken, _ = ledger.pump()[:2]
    for claim in taken:
        assert begin_one(ledger, claim.id, claim.token)


def healthy_run(ledger: Ledger, number: int, target: str) -> tuple[Claim, ...]:
    """One run comes, starts and ends; returns all that was handed out meanwhile."""
    id = f"r_{number}"
    claims = ledger.accept([], [entry(id, target, f"route-{number % 10}", 10**6 + number)], 500).claims
    for claim in claims:
        begin_one(ledger, claim.id, claim.token)
    _, more = finish_one(ledger, id, claims[0].token, DONE, 10)
    pumped, _ = ledger.pump()[:2]
    return claims + more + pumped


def commands(ledger: Ledger) -> int:
    """Redis commands so far, those inside scripts counted."""
    stats: Any = ledger.redis.info("commandstats")
    return sum(int(of["calls"]) for name, of in stats.items() if name != "cmdstat_info")


@pytest.mark.parametrize("target", HEALTHY)
def test_the_call_that_accepts_a_healthy_run_hands_it_out_whatever_waits_for_a_hanging_one(
    ledger: Ledger, target: str
) -> None:
    """And nothing else: the hanging lane has its share, and ends of others' attempts give it no more."""
    fill(ledger, 1000)
    in_flight = ledger.redis.zcard(ledger.keys.leases)

    handed_out = [healthy_run(ledger, number, target) for number in range(30)]

    assert [[f"r_{number}"] for number in range(30)] == [[claim.id for claim in claims] for claims in handed_out]
    assert ledger.limits.lane == in_flight == ledger.redis.zcard(ledger.keys.leases)


@pytest.mark.parametrize("target", HEALTHY)
def test_a_healthy_run_costs_redis_the_same_whatever_waits_for_a_hanging_target(ledger: Ledger, target: str) -> None:
    """Commands counted; each of its four calls may find that the lease clock has to be moved on."""
    costs = []
    for backlog in (100, 3000):
        ledger.redis.flushall()
        ledger.heartbeat("worker-1", 100)
        fill(ledger, backlog)
        healthy_run(ledger, 0, target)
        before = commands(ledger)
        healthy_run(ledger, 1, target)
        costs.append(commands(ledger) - before)

    assert abs(costs[0] - costs[1]) <= 4, costs


def test_many_invocations_of_one_target_are_handed_out_for_little_more_than_one(ledger: Ledger) -> None:
    """Reading and writing its record is all that each of them adds."""
    costs = []
    for count in (1, 50):
        store(ledger, *(entry(f"of-{count}-{n}", f"http://{count}:80", "deploy", n) for n in range(count)))
        before = commands(ledger)
        assert count == len(ledger.pump()[0])
        costs.append(commands(ledger) - before)

    assert costs[1] - costs[0] <= 49 * 2 + 8, costs


@pytest.mark.parametrize("lanes", [20, 300], ids=["all lanes read at once", "more than are read at once"])
def test_the_share_of_a_target_does_not_grow_with_its_actions(ledger: Ledger, lanes: int) -> None:
    """Targets take turns, and within one its lanes do."""
    many, one = "http://many:80", "http://one:80"
    store(ledger, *(entry(f"m_{n}", many, f"action-{n % lanes}", n) for n in range(2 * lanes)))
    store(ledger, *(entry(f"o_{n}", one, "deploy", n) for n in range(60)))

    claims = [claim for _ in range(2) for claim in ledger.pump(20)[0]]
    assert [20, 20] == [sum(claim.target == target for claim in claims) for target in (many, one)]
    assert 20 == len({ledger.redis.hget(ledger.keys.invocation(c.id), "lane") for c in claims if c.target == many})

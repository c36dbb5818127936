"""Every fault that strikes and goes by, under load: nothing is lost, and it costs no more than is promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pytest

from longshore.ledger.states import State
from tests.faults.conftest import MakeScene
from tests.support.accounts import Account
from tests.support.faults_table import SIZE
from tests.support.load import WELL_BEHAVED
from tests.support.polled_load import POLLED
from tests.support.scene import BOUND_S
from tests.support.strikes.catalog import STRIKES
from tests.support.strikes.kills import KILLS
from tests.support.strikes.strike import Cost, Strike

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

LEASE = {"LEASE_S": "15"}
"""What is under way outlives most of them."""


def polled(strikes: Sequence[Strike]) -> list[Strike]:
    """Those to try where runs are polled."""
    return [strike for strike in strikes if strike.polls]


def strike_under_load(
    make_scene: MakeScene, strike: Strike, fault: str, environ: Mapping[str, str] = MappingProxyType({}), ends: int = 0
) -> None:
    """All of it. At most so many programs end, for which the strike starts others."""
    if reason := strike.lacks():
        pytest.skip(reason)
    scene = make_scene(fault, networked=True, **{**LEASE, **strike.environ, **environ})
    scene.start_fleet()
    pids = scene.fleet.pids()
    scene.load.publish(SIZE // 2, WELL_BEHAVED)
    scene.until_busy()

    strike.run(scene)
    scene.recovers(strike.name)
    scene.load.publish(max(0, SIZE - len(scene.load.sent)), WELL_BEHAVED)
    scene.until_settled()

    assert len(pids - scene.fleet.pids()) <= ends, "a program ended"
    assert len(scene.fleet.pids()) == len(pids)
    at_risk = scene.at_risk()
    for account in scene.balance():
        assert account.sent.id in at_risk or is_as_promised(account, strike.cost), account
    scene.end()


def is_as_promised(account: Account, cost: Cost) -> bool:
    """Whether it ended as its target makes it end, or as the fault may make it."""
    if (account.state, account.reason, account.repeats) == (*account.natural_end(), 0):
        return True
    if cost is Cost.TIME:
        return False
    return (account.state == State.UNKNOWN or not account.sent.run) and account.repeats <= account.attempts - 1


@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.name)
def test_a_fault_that_goes_by_loses_nothing(make_scene: MakeScene, strike: Strike) -> None:
    """Runs from Kafka; every process of before is still there afterwards."""
    strike_under_load(make_scene, strike, strike.name)


@pytest.mark.parametrize("strike", polled(STRIKES), ids=lambda strike: strike.name)
def test_the_same_where_runs_are_polled(make_scene: MakeScene, strike: Strike) -> None:
    """Port is also where they come from."""
    strike_under_load(make_scene, strike, f"polling, {strike.name}", POLLED)


@pytest.mark.parametrize("strike", polled(KILLS), ids=lambda strike: strike.name)
def test_a_kill_loses_nothing_where_runs_are_polled(make_scene: MakeScene, strike: Strike) -> None:
    """Kills where runs come from Kafka have tests of their own."""
    strike_under_load(make_scene, strike, f"polling, {strike.name}", POLLED, ends=1)

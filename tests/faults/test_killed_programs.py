"""Programs killed without warning under load: nothing is lost, and only what had begun may come twice."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from longshore.ledger.states import State
from tests.faults.conftest import MakeScene
from tests.support.accounts import POISON, WORKER_LOST, Account
from tests.support.faults_table import SIZE
from tests.support.fleet import Role
from tests.support.scene import BOUND_S, BUSY, Scene

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

VICTIMS: Sequence[Role] = ("worker", "worker", "ingest", "worker", "worker", "ingest", "worker", "ingest")


def kill_under_load(scene: Scene, size: int, victims: Sequence[Role], choice: random.Random) -> set[str]:
    """Publish `size` invocations in portions and kill one of `victims` in each. Returns ids that had begun then."""
    in_flight: set[str] = set()
    portion = max(4 * BUSY, size // (len(victims) + 1))
    for victim in victims:
        members = scene.fleet.living(victim)
        for member in members:
            member.wait_ready()
        victim_member = choice.choice(members)
        scene.load.publish(portion)
        scene.until_busy(victim_member)
        if victim == "worker":
            in_flight |= scene.kill_worker(victim_member)
        else:
            scene.kill_ingest(victim_member)
    scene.load.publish(max(BUSY, size - len(scene.load.sent)))
    scene.until_settled()
    return in_flight


def find_unnatural(accounts: Sequence[Account]) -> list[Account]:
    """Those that did not end as their target makes them end."""
    return [each for each in accounts if (each.state, each.reason) != each.natural_end()]


def test_killed_workers_and_ingests_lose_nothing(make_scene: MakeScene) -> None:
    """Five workers and three ingests killed: all ends have a reason, runs cut off are `unknown`, events come again."""
    scene = make_scene("kill -9: 5 workers, 3 ingests")
    scene.start_fleet()

    in_flight = kill_under_load(scene, SIZE, VICTIMS, random.Random(1))

    accounts = scene.balance()
    cut_off = [account for account in accounts if account.cut_off]
    assert cut_off, "no kill hit anything: the test proves nothing"
    assert {account.sent.id for account in cut_off} <= in_flight
    assert not find_unnatural([account for account in accounts if not account.cut_off])
    # Runs are parked, and so never repeated; change log events are sent again.
    runs = [account for account in cut_off if account.sent.run]
    assert {(account.state, account.reason) for account in runs} <= {(State.UNKNOWN, WORKER_LOST)}
    assert not find_unnatural([account for account in cut_off if not account.sent.run])
    assert {account.sent.id for account in accounts if account.repeats} <= {
        account.sent.id for account in cut_off if not account.sent.run
    }
    scene.end()


def test_what_a_killed_worker_had_begun_is_sent_again_where_that_is_wanted(make_scene: MakeScene) -> None:
    """With UNKNOWN_OUTCOME=retry everything ends as if nobody had been killed; repeats were under way at a kill."""
    scene = make_scene("kill -9: 3 workers, retry", UNKNOWN_OUTCOME="retry")
    scene.start_fleet()

    in_flight = kill_under_load(scene, SIZE, ["worker"] * 3, random.Random(2))

    accounts = scene.balance()
    cut_off = {account.sent.id for account in accounts if account.cut_off}
    assert cut_off, "no kill hit anything: the test proves nothing"
    assert cut_off <= in_flight
    assert {account.sent.id for account in accounts if account.repeats} <= cut_off
    assert not find_unnatural([account for account in accounts if not account.cut_off or account.needed])
    # What its target never takes may also end with the worker that had its last attempt, or for having seen three die.
    ends = {(account.state, account.reason) for account in find_unnatural(accounts)}
    assert ends <= {(State.UNKNOWN, WORKER_LOST), (State.DEAD, POISON)}
    scene.end()

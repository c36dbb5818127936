"""Workers asked to end under load, at any moment: what has not begun goes back, the rest ends, or is parked."""

from __future__ import annotations

import random
import time
from functools import partial

import pytest

from longshore.invocation.kinds import Kind
from longshore.ledger.states import State
from longshore.log import events
from tasks.worker.shutdown import DRAINED
from tests.faults.conftest import MakeScene
from tests.support.accounts import WORKER_LOST
from tests.support.faults_table import SIZE
from tests.support.fleet import Member
from tests.support.load import WELL_BEHAVED
from tests.support.scene import BOUND_S, BUSY, EXIT_BOUND_S, FULL, Recovery, Scene

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

DRAINS = 8 if FULL else 4
KILLS = 4 if FULL else 2
RATE = "40"
"""Requests per second to a target: what waits for its start has been received and has not begun."""
GRACE_S = 1
"""Less than hanging targets take."""
LOAD = {**WELL_BEHAVED, "hanging": 20}


def drain_under_load(scene: Scene, choice: random.Random) -> None:
    """Ask one of two workers to end, at a moment of the seed's choice, and start another."""
    scene.load.publish(max(4 * BUSY, SIZE // DRAINS), WELL_BEHAVED)
    member = choice.choice(scene.fleet.living("worker"))
    scene.until_busy(member)
    time.sleep(choice.uniform(0, 0.5))  # any stage may be at work then
    member.ask_to_end()
    code, seconds = member.wait_end(2 * EXIT_BOUND_S)
    scene.recoveries.append(Recovery(f"{member.name} drained", lambda: True, seconds=seconds))
    assert (code, seconds < EXIT_BOUND_S) == (0, True), f"{member.name} ended with {code} after {seconds:.1f} s"
    scene.fleet.replace(member).wait_ready()


def test_what_has_not_begun_goes_back_and_nothing_is_repeated(make_scene: MakeScene) -> None:
    """Again and again, with claims in the worker that wait for their start: no attempt is cut off, none unknown."""
    scene = make_scene(f"SIGTERM under load, {DRAINS} times", TARGET_RATE=RATE)
    scene.start_fleet()
    choice = random.Random(scene.seed)

    for _ in range(DRAINS):
        drain_under_load(scene, choice)
    scene.until_settled()

    for account in scene.balance():
        assert (account.state, account.reason, account.repeats, account.cut_off) == (*account.natural_end(), 0, 0)
    assert scene.fleet.log_lines(events.DELIVERY_RELEASED.name), "nothing went back: the test proves nothing"
    scene.end()


def test_what_does_not_end_within_the_grace_is_parked(make_scene: MakeScene) -> None:
    """The worker ends in time all the same, and says of each such run why nobody knows its outcome."""
    scene = make_scene("SIGTERM, grace too short", DRAIN_S=str(GRACE_S))
    scene.start_fleet()
    scene.load.publish(SIZE, LOAD)
    member = scene.fleet.living("worker")[0]
    scene.until_busy(member)
    scene.until(lambda: has_hung(scene), "a target hangs")
    member.ask_to_end()
    code, seconds = member.wait_end(2 * EXIT_BOUND_S)
    scene.fleet.replace(member)
    scene.until_settled()

    assert (code, seconds < EXIT_BOUND_S) == (0, True), f"{member.name} ended with {code} after {seconds:.1f} s"
    # An answer that comes between the parking and the end is still stored; Port has been told that nobody knows.
    parked_ids = {words.split("run_id=")[1].split()[0] for words in scene.fleet.log_lines(events.WORKER_PARKED.name)}
    accounts = scene.balance(parked_ids)
    parked = [each for each in accounts if (each.state, each.reason) == (State.UNKNOWN, DRAINED)]
    assert parked, "nothing was cut off: the test proves nothing"
    assert {each.sent.id for each in parked} <= parked_ids
    for account in accounts:
        # What is parked and has its answer after all has ended twice.
        is_answered_late = account.sent.id in parked_ids and account not in parked
        assert account.cut_off in (0, -is_answered_late), account
        if account not in parked:
            assert (account.state, account.reason) == account.natural_end(), account
        assert account.repeats <= (account.sent.id in parked_ids and account.sent.kind is Kind.CHANGE_LOG), account
    scene.end()


def has_hung(scene: Scene) -> bool:
    """Whether requests have come that are not answered."""
    return scene.targets.totals().get("hanging", 0) >= 2


def says_that_it_drains(member: Member) -> bool:
    """Whether it has begun to end."""
    return events.WORKER_DRAINING.name in member.log()


def test_a_worker_that_is_killed_while_it_drains_loses_nothing(make_scene: MakeScene) -> None:
    """As by a platform whose patience is shorter than the grace: only what was under way is unknown."""
    scene = make_scene(f"SIGTERM, then SIGKILL, {KILLS} times", TARGET_RATE=RATE)
    scene.start_fleet()
    choice = random.Random(scene.seed)

    for _ in range(KILLS):
        member = choice.choice([each.wait_ready() for each in scene.fleet.living("worker")])
        scene.load.publish(max(4 * BUSY, SIZE // KILLS), LOAD)
        scene.until_busy(member)
        scene.until(lambda: has_hung(scene), "a target hangs")
        member.ask_to_end()
        scene.until(partial(says_that_it_drains, member), "it drains")
        time.sleep(choice.uniform(0, 1))
        scene.kill_worker(member)
    scene.until_settled()

    for account in scene.balance():
        if not account.cut_off:
            assert (account.state, account.reason, account.repeats) == (*account.natural_end(), 0), account
        elif account.sent.run:
            assert (account.state, account.reason, account.repeats) == (State.UNKNOWN, WORKER_LOST, 0), account
        else:
            assert account.repeats <= account.cut_off, account
    scene.end()

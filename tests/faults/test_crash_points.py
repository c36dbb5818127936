"""Programs that kill themselves at each named step of an invocation's life: nothing is lost, whatever the step."""

from __future__ import annotations

import random
import signal
from collections.abc import Mapping, Sequence

import pytest

from longshore.ledger.states import State
from tests.faults.conftest import MakeScene
from tests.support.accounts import WORKER_LOST, Account
from tests.support.crash_points import POINTS, CrashPoint
from tests.support.faults_table import SIZE
from tests.support.load import WELL_BEHAVED
from tests.support.scene import BOUND_S, FULL, Scene

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

CRASHES = 4 if FULL else 2
MORE = 25
"""Invocations published more, while a program has not come to its point."""
LOAD = {**WELL_BEHAVED, "flaky": 20}
ATTEMPTS = 12
"""More than a flaky target and all crashes can use up."""
REDIRECT = "in the middle of a redirect"
CLAIMS_AT_FINISH = "after finish, before publish"
ARRIVED = {"after bytes sent", "while a response is waited for", "after reply, before finish"}
"""Points at which an invocation is cut off whose request has reached the target."""
UNDER_WAY = {"after begin", "begun, before a thread has it", REDIRECT, *ARRIVED}
"""Points at which the invocation itself is cut off."""


def load_of(point: CrashPoint) -> Mapping[str, int]:
    """What brings a program to `point`."""
    return {**LOAD, "moved": 40} if point.name == REDIRECT else LOAD


def settings_of(point: CrashPoint) -> Mapping[str, str]:
    """With more to do than there are slots, an end makes room for another attempt."""
    return {"WORKER_SLOTS": "8"} if point.name == CLAIMS_AT_FINISH else {}


def crash(scene: Scene, point: CrashPoint, passage: int, portion: int) -> None:
    """Have a program under load crash there; returns when it is dead."""
    load = load_of(point)
    member, mark = scene.fleet.start_crashing(point, passage)
    scene.until(lambda: member.works or not member.alive, f"{member.name} works")
    scene.load.publish(portion, load)
    while member.alive:
        if not scene.accounts.unfinished(scene.load.sent):
            scene.load.publish(MORE, load)
        scene.until(
            lambda: not member.alive or not scene.accounts.unfinished(scene.load.sent),
            f"{member.name} crashes {point.name}",
        )
    if point.role == "worker":
        scene.note_kill(member)
    scene.recovers(f"{member.name} crashed")
    assert (member.process.returncode, mark.read_text()) == (-signal.SIGKILL, point.name), member.log()[-2000:]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_a_program_that_crashes_at_a_named_step_loses_nothing(make_scene: MakeScene, point: CrashPoint) -> None:
    """Again and again, beside another program of its kind; the one after the last crash is whole."""
    scene = make_scene(f"crash: {point.name}", RETRY_MAX_ATTEMPTS=str(ATTEMPTS), **settings_of(point))
    scene.start_fleet(1, 1)
    choice = random.Random(scene.seed)

    for passage in [1, *(choice.randint(2, point.max_passages) for _ in range(CRASHES - 1))]:
        crash(scene, point, passage, SIZE // (CRASHES + 1))
    scene.fleet.start(point.role)
    scene.load.publish(max(MORE, SIZE - len(scene.load.sent)), load_of(point))
    scene.until_settled()

    check(scene.balance(), point)
    scene.end()


def check(accounts: Sequence[Account], point: CrashPoint) -> None:
    """What a crash at `point` may have cost: nothing but what was begun, and that in the way that is promised."""
    cut_off = [account for account in accounts if account.cut_off]
    whole = [account for account in accounts if not account.cut_off]
    assert all((each.state, each.reason, each.repeats) == (*each.natural_end(), 0) for each in whole)
    for each in cut_off:
        # Runs are parked, and so never repeated; change log events are sent again.
        expected = (State.UNKNOWN, WORKER_LOST) if each.sent.run else each.natural_end()
        assert (each.state, each.reason) == expected, each
        assert each.repeats <= (0 if each.sent.run else each.cut_off), each
    if point.role == "ingest":
        assert not cut_off
    if point.name in UNDER_WAY:
        assert sum(each.cut_off for each in cut_off) >= CRASHES
    if point.name in ARRIVED:
        assert any(each.arrivals for each in cut_off)

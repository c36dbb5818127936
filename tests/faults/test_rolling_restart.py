"""Programs stopped with SIGTERM under load and replaced, as a rollout does: nothing repeated, nothing lost, exit 0."""

from __future__ import annotations

import pytest

from tests.faults.conftest import MakeScene
from tests.support.faults_table import SIZE
from tests.support.fleet import Member, Role
from tests.support.load import WELL_BEHAVED
from tests.support.scene import BOUND_S, EXIT_BOUND_S, Recovery, Scene

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]


def roll(scene: Scene, role: Role, size: int) -> list[str]:
    """Replace every program of `role` under load, the new one first. Returns how each ended that ended badly."""
    veterans: list[Member] = scene.fleet.living(role)
    bad = []
    for member in veterans:
        scene.fleet.start(role)[0].wait_ready()
        scene.load.publish(size // len(veterans), {**WELL_BEHAVED, "flaky": 20})
        scene.until_busy(member)
        member.ask_to_end()
        code, seconds = member.wait_end(2 * EXIT_BOUND_S)
        scene.recoveries.append(Recovery(f"{member.name} stopped", lambda: True, seconds=seconds))
        if code or seconds > EXIT_BOUND_S:
            bad.append(f"{member.name} ended with code {code} after {seconds:.1f} s")
    return bad


@pytest.mark.parametrize("role", ["worker", "ingest"])
def test_a_rollout_repeats_nothing_and_loses_nothing(make_scene: MakeScene, role: Role) -> None:
    """Requests under way end, what has not begun goes elsewhere, and the programs exit with 0 in time."""
    scene = make_scene(f"SIGTERM: every {role}")
    scene.start_fleet()

    bad = roll(scene, role, SIZE)
    scene.until_settled()

    assert not bad
    accounts = scene.balance()
    assert not [account for account in accounts if account.repeats or account.cut_off]
    assert all((account.state, account.reason) == account.natural_end() for account in accounts)

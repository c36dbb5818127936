"""The Port API away under load: deliveries neither wait for it nor come twice, and Port hears everything later."""

from __future__ import annotations

import pytest

from longshore.invocation.kinds import Kind
from tests.faults.conftest import MakeScene
from tests.support.faults_table import SIZE
from tests.support.load import WELL_BEHAVED
from tests.support.scene import BOUND_S, Recovery

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

PROGRAMS = 4
"""Two ingests and two workers, each with a token of its own."""
SICK_CALLS = 40
"""Calls that Port answers with 503 after it has come back."""


def test_deliveries_go_on_without_port_and_reports_arrive_when_it_is_back(make_scene: MakeScene) -> None:
    """Everything is delivered while Port refuses connections; then each run is closed once, in the right state."""
    scene = make_scene("Port API: down, then sick")
    scene.start_fleet()
    size = SIZE
    scene.load.publish(size // 2, WELL_BEHAVED)
    # Each program has its token by then. Without one it would ask for it ever more seldom, for Port's sake.
    scene.until(lambda: scene.port.counts.get("token", 0) >= PROGRAMS, "every program has a token")
    scene.until_busy()

    scene.port.down()
    ended_runs = sum(run.ended for run in scene.port.runs.values())
    scene.load.publish(size - size // 2, WELL_BEHAVED)
    published = scene.load.sent
    scene.until(lambda: not scene.accounts.unfinished(published), "everything is delivered without Port")
    assert sum(run.ended for run in scene.port.runs.values()) == ended_runs
    runs = {sent.run for sent in published if sent.synchronized and sent.kind is not Kind.CHANGE_LOG}
    scene.port.fail_next(SICK_CALLS, 503)
    scene.port.up()
    scene.recoveries.append(
        Recovery("Port", lambda: runs == {run.id for run in scene.port.runs.values() if run.id in runs and run.ended})
    )
    scene.until_settled()

    accounts = scene.balance()
    assert not [account for account in accounts if account.repeats]
    assert all((account.state, account.reason) == account.natural_end() for account in accounts)

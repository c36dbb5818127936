"""Another Redis takes over under load, and the connections to the first one stay open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.faults.conftest import MakeScene
from tests.support.faults_table import SIZE
from tests.support.faulty_redis import FaultyRedis
from tests.support.load import WELL_BEHAVED
from tests.support.relays import Pair
from tests.support.scene import BOUND_S

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

UNCOPIED_S = 2.0
"""What the first one may have taken without passing it on."""


@pytest.fixture
def pair(redis_server: FaultyRedis, tmp_path: Path) -> Iterator[Pair]:
    """The Redis of this test, and one that is to take over."""
    with EmbeddedRedis(tmp_path / "second") as second, Pair(redis_server, second) as pair:
        yield pair


def test_a_failover_behind_open_connections_loses_nothing(pair: Pair, make_scene: MakeScene) -> None:
    """Everybody follows by themselves; only what was not copied in time may be unknown or come twice."""
    scene = make_scene("Redis: failover, connections stay", REDIS_URL=pair.url)
    scene.start_fleet()
    pids = scene.fleet.pids()
    scene.load.publish(SIZE // 2, WELL_BEHAVED)
    scene.until_busy()

    since = time.time() - UNCOPIED_S
    pair.fail_over()
    until = time.time()
    scene.recovers("Redis")
    scene.pass_time()
    scene.load.publish(max(0, SIZE - len(scene.load.sent)), WELL_BEHAVED)
    scene.until_settled()

    assert scene.fleet.pids() == pids
    at_risk = scene.arrived_since(since) - scene.arrived_since(until)
    for account in scene.balance(at_risk):
        if account.sent.id not in at_risk:
            assert (account.state, account.reason, account.repeats) == (*account.natural_end(), 0), account
    scene.end()

"""Redis killed under load and started again with the same data: all resume by themselves."""

from __future__ import annotations

import os
import time

import pytest

from longshore.log import events
from tests.faults.conftest import MakeScene
from tests.support.faults_table import SIZE
from tests.support.load import WELL_BEHAVED
from tests.support.scene import BOUND_S, UNSYNCED_S, Recovery, Scene

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

OUTAGES = 2
DOWN_S = 2.0
"""Longer than the pauses between tries to reach Redis at first, so that every loop has to come back from an outage."""
COMMIT_DELAY_S = 10
FORGOTTEN_MOST_S = COMMIT_DELAY_S - 1
"""Less than commits trail the ledger: what is committed, Redis must not forget."""


def break_redis(scene: Scene, meanwhile: int) -> None:
    """Kill Redis under load, publish `meanwhile` more, start it again."""
    scene.until_busy()
    scene.kill_redis()
    scene.load.publish(meanwhile, WELL_BEHAVED)
    time.sleep(DOWN_S)  # the fault itself: nothing is waited for
    scene.redis.start()
    leases, published = scene.accounts.leased(), list(scene.load.sent)
    scene.recoveries.append(
        Recovery("Redis", lambda: not scene.accounts.still_leased(leases) and not scene.accounts.missing(published))
    )


def test_a_killed_redis_that_comes_back_stops_nothing_and_loses_nothing(make_scene: MakeScene) -> None:
    """Every process lives on; only what Redis had no time to write may be unknown or sent again."""
    scene = make_scene(f"Redis: killed {OUTAGES} times")
    scene.start_fleet()
    pids = scene.fleet.pids()
    portion = SIZE // OUTAGES // 2

    for _ in range(OUTAGES):
        scene.load.publish(portion, WELL_BEHAVED)
        break_redis(scene, portion)
        scene.until_recovered()
    scene.until_settled()

    assert scene.fleet.pids() == pids
    at_risk = scene.at_risk()
    for account in scene.balance():
        if account.sent.id not in at_risk:
            assert (account.state, account.reason, account.repeats) == (*account.natural_end(), 0), account
    scene.end()


def test_a_redis_that_forgets_its_last_second_gets_it_from_kafka_again(make_scene: MakeScene) -> None:
    """The machine under Redis failed before the last writes were on disk: read again, and perhaps sent again."""
    scene = make_scene("Redis: forgets its last second", COMMIT_DELAY_S=str(COMMIT_DELAY_S))
    scene.start_fleet()
    portion = SIZE // 4
    scene.load.publish(SIZE - portion, WELL_BEHAVED)
    scene.until_busy()
    log = next((scene.redis.data_dir / "appendonlydir").glob("*.incr.aof"))

    on_disk, since = log.stat().st_size, time.time()
    fresh = scene.load.publish(portion, WELL_BEHAVED)
    scene.until(lambda: len(scene.accounts.missing(fresh)) < portion // 2, "half of them are accepted")
    scene.redis.kill()
    assert time.time() - since < FORGOTTEN_MOST_S, "the machine is too slow for this test"
    os.truncate(log, on_disk)
    scene.redis.start()
    published = list(scene.load.sent)
    scene.recoveries.append(Recovery("Redis", lambda: not scene.accounts.missing(published)))
    scene.until_settled()

    assert scene.fleet.log_lines(events.LEDGER_REREAD.name), "nothing was forgotten: the test proves nothing"
    at_risk = scene.arrived_since(since - UNSYNCED_S)
    for account in scene.balance(at_risk):
        if account.sent.id not in at_risk:
            assert (account.state, account.reason, account.repeats) == (*account.natural_end(), 0), account
    scene.end()

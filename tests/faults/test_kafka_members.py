"""The group loses a member that does not know it, and Redis goes back in time: both under load."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from config.settings import Settings
from longshore.log import events
from tests.faults.conftest import MakeScene
from tests.support.faults_table import SIZE
from tests.support.load import WELL_BEHAVED
from tests.support.scene import BOUND_S, Recovery

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

PORTION = SIZE // 4


def test_an_ingest_that_stood_still_for_longer_than_its_session_gives_its_partitions_up(make_scene: MakeScene) -> None:
    """Stopped and later woken: others read on meanwhile, its late word sets nothing back, and it joins again."""
    scene = make_scene("ingest: asleep beyond its session")
    scene.start_fleet()
    asleep, _ = scene.fleet.living("ingest")
    scene.load.publish(PORTION, WELL_BEHAVED)
    asleep.process.send_signal(signal.SIGSTOP)
    scene.load.publish(PORTION, WELL_BEHAVED)
    published = list(scene.load.sent)
    scene.recoveries.append(Recovery("its partitions", lambda: not scene.accounts.missing(published)))
    scene.until(lambda: not scene.accounts.missing(published), "the other one has taken over")
    asleep.process.send_signal(signal.SIGCONT)
    scene.load.publish(PORTION, WELL_BEHAVED)
    scene.until(lambda: asleep.log().count(events.KAFKA_ASSIGNED.name) >= 2, "it has partitions again")
    scene.load.publish(PORTION, WELL_BEHAVED)
    scene.until_settled()

    assert asleep.alive
    for account in scene.balance():
        assert (account.state, account.repeats) == (account.natural_end()[0], 0), account


def test_by_default_what_killed_programs_held_is_taken_up_soon(make_scene: MakeScene) -> None:
    """An ingest and a worker killed at once, nobody started in their place; the table says how long it took."""
    lease, session = (
        str(round(Settings.model_fields[name].default)) for name in ("lease_s", "kafka_consumer_session_timeout_ms")
    )
    scene = make_scene("kill -9: ingest and worker, defaults", LEASE_S=lease, KAFKA_CONSUMER_SESSION_TIMEOUT_MS=session)
    scene.start_fleet()
    scene.load.publish(PORTION)
    (ingest, _), (worker, _) = scene.fleet.living("ingest"), scene.fleet.living("worker")
    scene.until_busy(worker)
    worker.kill()
    scene.note_kill(worker)
    ingest.kill()
    scene.load.publish(PORTION)
    published = list(scene.load.sent)
    scene.recoveries.append(Recovery(f"{ingest.name} killed", lambda: not scene.accounts.missing(published)))
    scene.until_settled()

    scene.balance()


def test_a_redis_restored_from_an_older_copy_under_load_loses_nothing(make_scene: MakeScene, tmp_path: Path) -> None:
    """Everything since the copy is read again; only that may be delivered twice, and nobody restarted anything."""
    scene = make_scene("Redis: an older copy restored")
    scene.start_fleet()
    pids = scene.fleet.pids()
    before = scene.load.publish(PORTION, WELL_BEHAVED)
    scene.until(lambda: not scene.accounts.unfinished(before), "the first have ended")
    scene.until(lambda: not scene.accounts.reports_left(), "Port has heard of them")
    copy = shutil.copytree(scene.redis.data_dir, tmp_path / "copy")
    scene.load.publish(2 * PORTION, WELL_BEHAVED)
    scene.until_busy()
    scene.redis.kill()
    scene.load.publish(PORTION, WELL_BEHAVED)
    shutil.rmtree(scene.redis.data_dir)
    shutil.copytree(copy, scene.redis.data_dir)
    scene.redis.start()
    published = list(scene.load.sent)
    scene.recoveries.append(Recovery("all is read again", lambda: not scene.accounts.missing(published)))
    scene.load.publish(PORTION, WELL_BEHAVED)
    scene.until_settled()

    assert scene.fleet.pids() == pids
    accounts = scene.accounts.of(scene.load.sent)
    assert not [account for account in accounts if account.lost]
    assert not scene.accounts.imbalances()
    ids_before = {each.id for each in before}
    assert Counter(account.repeats for account in accounts if account.sent.id in ids_before) == {0: len(before)}

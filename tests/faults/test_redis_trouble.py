"""Everything that Redis can go through under load: nobody restarts anything, nothing is lost, nothing comes twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from longshore.log import events
from tests.faults.conftest import MakeScene
from tests.support.faults_table import SIZE
from tests.support.load import WELL_BEHAVED
from tests.support.scene import BOUND_S, BUSY, FULL, UNSYNCED_S, Scene

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

AWAY_S = 60.0 if FULL else 5.0
STILL_S = 30.0 if FULL else 5.0
FULL_DISK_S = 15.0 if FULL else 3.0
LOADING_S = 15.0 if FULL else 3.0
CUTS = 40 if FULL else 12
CUT_EVERY_S = 0.25
KILLS = 6
LEASE_S = 15
"""The default: what is under way outlives each of these faults."""
MORE = 25
"""Invocations published more, until every worker has had one."""


def away(scene: Scene) -> None:
    """Killed, and started again after a while."""
    scene.redis.kill()
    scene.load.publish(SIZE // 4, WELL_BEHAVED)
    time.sleep(AWAY_S)  # the fault itself: nothing is waited for
    scene.redis.start()


def loading(scene: Scene) -> None:
    """Killed, and started again with so much data that it answers LOADING for a while."""
    scene.redis.lengthen_log()
    scene.redis.kill()
    scene.redis.start_loading(LOADING_S)
    scene.load.publish(SIZE // 4, WELL_BEHAVED)
    scene.redis.wait_ready(BOUND_S)


def standing_still(scene: Scene) -> None:
    """Stopped and woken: what it was sent meanwhile it does then, though nobody listens any more."""
    with scene.redis.standing_still():
        scene.load.publish(SIZE // 4, WELL_BEHAVED)
        time.sleep(STILL_S)


def full_disk(scene: Scene) -> None:
    """It answers MISCONF to whatever writes, until there is room again."""
    with scene.redis.full_disk(), scene.redis.client() as client:
        scene.load.publish(SIZE // 4, WELL_BEHAVED)
        scene.until(lambda: client.info("persistence")["aof_last_write_status"] == "err", "the disk is full")
        time.sleep(FULL_DISK_S)


def cut_off(scene: Scene) -> None:
    """All connections closed, again and again."""
    scene.load.publish(SIZE // 4, WELL_BEHAVED)
    with scene.redis.client() as client:
        for _ in range(CUTS):
            for kind in ("normal", "pubsub"):
                client.client_kill_filter(_type=kind, skipme=True)
            time.sleep(CUT_EVERY_S)


def killed_while_writing(scene: Scene) -> None:
    """Killed in the middle of its work, again and again, whatever the stages of the workers are at."""
    choice = random.Random(scene.seed)
    for _ in range(KILLS):
        scene.load.publish(max(4 * BUSY, SIZE // 4 // KILLS), WELL_BEHAVED)
        scene.until_busy()
        time.sleep(choice.uniform(0, 0.3))
        scene.redis.kill()
        scene.redis.start()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to Redis, which was started with these options."""

    name: str
    happens: Callable[[Scene], None]
    options: Mapping[str, str] = field(default_factory=dict)
    forgets_s: float = 0.0
    """For how long before it something may be forgotten."""


TROUBLES = (
    Trouble(f"down for {AWAY_S:g} s", away, forgets_s=UNSYNCED_S),
    Trouble(f"LOADING for {LOADING_S:g} s", loading, forgets_s=UNSYNCED_S),
    Trouble(f"SIGSTOP for {STILL_S:g} s", standing_still),
    Trouble("AOF disk full", full_disk),
    Trouble(f"CLIENT KILL of all, {CUTS} times", cut_off),
    Trouble(f"killed {KILLS} times, appendfsync always", killed_while_writing, {"appendfsync": "always"}),
)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.happens.__name__)
def test_redis_in_trouble_costs_nothing_but_time(make_scene: MakeScene, trouble: Trouble) -> None:
    """Every process lives on and works again; only what a killed Redis forgot may be unknown or come twice."""
    scene = make_scene(f"Redis: {trouble.name}", LEASE_S=str(LEASE_S))
    if trouble.options:
        scene.redis.options.update(trouble.options)
        scene.redis.kill()
        scene.redis.start()
    scene.start_fleet()
    pids = scene.fleet.pids()
    scene.load.publish(SIZE // 2, WELL_BEHAVED)
    scene.until_busy()

    start = time.time() - trouble.forgets_s
    trouble.happens(scene)
    end = time.time()
    scene.recovers("Redis")
    nobody_is_deaf(scene)
    scene.load.publish(max(0, SIZE - len(scene.load.sent)), WELL_BEHAVED)
    scene.until_settled()

    assert scene.fleet.pids() == pids
    at_risk = scene.arrived_since(start) - scene.arrived_since(end) if trouble.forgets_s else set()
    for account in scene.balance(at_risk):
        if account.sent.id not in at_risk:
            assert (account.state, account.reason, account.repeats) == (*account.natural_end(), 0), account
    scene.end()


def nobody_is_deaf(scene: Scene) -> None:
    """Each worker takes work again; and each ingest, as otherwise its partitions would stand still."""
    workers = scene.fleet.living("worker")
    before = {worker.name: worker.attempts() for worker in workers}

    def all_work() -> bool:
        if not scene.accounts.unfinished(scene.load.sent):
            scene.load.publish(MORE, WELL_BEHAVED)
        return all(worker.attempts() > before[worker.name] for worker in workers)

    scene.until(all_work, "every worker has work again")


def test_at_maxmemory_only_intake_stops_and_goes_on_when_there_is_room(make_scene: MakeScene) -> None:
    """What was accepted ends and is reported though Redis is full; Kafka keeps the rest until it is not."""
    scene = make_scene("Redis: maxmemory reached", LEASE_S=str(LEASE_S))
    scene.start_fleet()
    scene.load.publish(SIZE // 2, WELL_BEHAVED)
    scene.until_busy()
    with scene.redis.client() as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"])
        # One that had a batch at hand is refused it, before it looks how full Redis is.
        signs = (events.INGEST_PAUSED, events.REDIS_OUTAGE.started)
        scene.until(
            lambda: all(any(sign.name in member.log() for sign in signs) for member in scene.fleet.living("ingest")),
            "intake pauses",
        )
        waiting = [*scene.accounts.missing(scene.load.sent), *scene.load.publish(SIZE - SIZE // 2, WELL_BEHAVED)]
        accepted = [sent for sent in scene.load.sent if sent not in waiting]
        scene.until(lambda: not scene.accounts.unfinished(accepted), "all that was accepted has ended")
        scene.until(lambda: scene.accounts.reports_left() == 0, "and Port has heard of it")
        # What has ended makes room now and then, so a few of them may have been taken.
        assert scene.accounts.missing(waiting), "intake never stopped"
        client.config_set("maxmemory", 0)
    scene.recovers("intake")
    scene.until_settled()

    assert any(map(scene.fleet.log_lines, (events.INGEST_RESUMED.name, events.REDIS_OUTAGE.ended.name)))
    for account in scene.balance():
        assert (account.state, account.reason, account.repeats) == (*account.natural_end(), 0), account
    scene.end()

"""What kills programs and Redis, for `make chaos` and where runs are polled; from Kafka each has tests of its own."""

from __future__ import annotations

import time

from longshore.log import events
from tests.support.fleet import Member, Role
from tests.support.scene import EXIT_BOUND_S, PORTION_S, STRIKE_S, Scene
from tests.support.strikes.strike import Cost, Strike


def choose(scene: Scene, role: Role) -> Member:
    """One that works, at a moment of the seed's choice."""
    member = scene.dice.choice(scene.fleet.living(role)).wait_ready()
    scene.pass_time(scene.dice.uniform(0, STRIKE_S / 2))
    return member


def kill_worker(scene: Scene) -> None:
    """Without warning."""
    scene.kill_worker(choose(scene, "worker"))


def kill_ingest(scene: Scene) -> None:
    """Without warning."""
    scene.kill_ingest(choose(scene, "ingest"))


def end_worker(scene: Scene) -> None:
    """As a rollout does."""
    worker = choose(scene, "worker")
    worker.ask_to_end()
    worker.wait_end(2 * EXIT_BOUND_S)
    scene.fleet.replace(worker)


def end_ingest(scene: Scene) -> None:
    """As a rollout does."""
    ingest = choose(scene, "ingest")
    ingest.ask_to_end()
    code, _ = ingest.wait_end(2 * EXIT_BOUND_S)
    assert code == 0, f"{ingest.name} ended with code {code}"
    scene.fleet.replace(ingest)


def end_then_kill_worker(scene: Scene) -> None:
    """By a platform whose patience is shorter than the grace."""
    worker = choose(scene, "worker")
    worker.ask_to_end()
    scene.until(lambda: events.WORKER_DRAINING.name in worker.log(), f"{worker.name} drains")
    scene.pass_time(scene.dice.uniform(0, 1))
    if worker.alive:
        scene.kill_worker(worker)
    else:
        scene.fleet.replace(worker)


def kill_redis(scene: Scene) -> None:
    """It is back at once, with all that it had written."""
    scene.pass_time(scene.dice.uniform(0, STRIKE_S))
    scene.kill_redis()
    scene.redis.start()


def stop_redis(scene: Scene) -> None:
    """It lives and answers nothing."""
    with scene.redis.standing_still():
        scene.pass_time()


def fill_disk(scene: Scene) -> None:
    """Of Redis."""
    with scene.redis.full_disk():
        scene.pass_time()


def close_connections(scene: Scene) -> None:
    """All of Redis's, again and again."""
    end = time.monotonic() + STRIKE_S
    with scene.redis.client() as client:
        while time.monotonic() < end:
            for kind in ("normal", "pubsub"):
                client.client_kill_filter(_type=kind, skipme=True)
            scene.pass_time(PORTION_S)


KILLS = (
    Strike("kill -9: a worker", "what it held is taken up", kill_worker, Cost.OUTCOMES, polls=True),
    Strike("kill -9: an ingest", "what it had read and not stored is read by others", kill_ingest, polls=True),
    Strike("SIGTERM: an ingest", "what it has read it stores", end_ingest, polls=True),
    Strike("SIGTERM: a worker", "what has not begun goes back", end_worker),
    Strike("SIGTERM, then SIGKILL: a worker", "as a killed worker", end_then_kill_worker, Cost.OUTCOMES),
    Strike("kill -9: Redis", "it is waited for", kill_redis, Cost.OUTCOMES, polls=True),
    Strike("SIGSTOP: Redis", "it is waited for", stop_redis),
    Strike("Redis: disk full", "ingest and new attempts wait", fill_disk, polls=True),
    Strike("Redis: all connections closed", "lost messages are published again", close_connections),
)

"""Clocks that are an hour wrong; that of Redis needs Debian's `faketime`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.scene import EXIT_BOUND_S, Scene
from tests.support.strikes.strike import Cost, Strike

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
OFFSETS_S = {"an hour fast": 3600, "an hour slow": -3600}


def lack() -> str:
    """Nothing else says to Redis what the time is."""
    return "" if LIBRARIES else "faketime is not installed (Debian: apt install faketime)"


def wrong_worker(offset_s: int) -> Callable[[Scene], None]:
    """One worker of several."""

    def run(scene: Scene) -> None:
        worker = scene.fleet.start_wrong("worker", offset_s).wait_ready()
        scene.pass_time()
        scene.until_busy(worker)
        worker.ask_to_end()
        code, _ = worker.wait_end(2 * EXIT_BOUND_S)
        assert code == 0, f"{worker.name} ended with code {code}"

    return run


def wrong_redis(offset_s: int) -> Callable[[Scene], None]:
    """Redis goes down, and comes back on a machine with another clock, for good."""

    def run(scene: Scene) -> None:
        scene.kill_redis()
        # It still counts seconds rightly.
        clock = {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME": f"{offset_s:+}s", "DONT_FAKE_MONOTONIC": "1"}
        scene.redis.environ.update(clock)
        scene.redis.start()
        scene.pass_time()

    return run


WORKERS = tuple(
    Strike(f"clock of a worker {words}", "what is due when is for Redis's clock to say", wrong_worker(offset_s))
    for words, offset_s in OFFSETS_S.items()
)
SERVERS = tuple(
    Strike(
        f"Redis restarted with its clock {words}",
        "what is under way and due is found out again",
        wrong_redis(offset_s),
        Cost.OUTCOMES,
        polls=True,
        lasts=True,
        lacks=lack,
    )
    for words, offset_s in OFFSETS_S.items()
)
CLOCKS = (*WORKERS, *SERVERS)

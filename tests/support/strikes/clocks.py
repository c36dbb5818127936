"""Clocks that are an hour wrong; needs Debian's `faketime`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.scene import EXIT_BOUND_S, Scene
from tests.support.strikes.strike import Cost, Strike

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def lack() -> str:
    """Nothing says how wrong a clock is to be without it."""
    return "" if LIBRARIES else "faketime is not installed (Debian: apt install faketime)"


def clock(offset: str) -> dict[str, str]:
    """Variables of a program whose clock is wrong by so much; it still counts seconds rightly."""
    return {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"}


def wrong_worker(offset: str) -> Callable[[Scene], None]:
    """One worker of several."""

    def run(scene: Scene) -> None:
        (worker,) = scene.fleet.start("worker", environ=clock(offset))
        worker.wait_ready()
        scene.pass_time()
        scene.until_busy(worker)
        worker.ask_to_end()
        code, _ = worker.wait_end(2 * EXIT_BOUND_S)
        assert code == 0, f"{worker.name} ended with code {code}"

    return run


def wrong_redis(offset: str) -> Callable[[Scene], None]:
    """Redis goes down, and comes back on a machine with another clock, for good."""

    def run(scene: Scene) -> None:
        scene.redis.kill()
        scene.redis.environ.update(clock(offset))
        scene.redis.start()
        scene.pass_time()

    return run


CLOCKS = tuple(
    strike
    for offset in ("+1h", "-1h")
    for strike in (
        Strike(f"clock of a worker: {offset}", "due times are Redis's", wrong_worker(offset), lacks=lack),
        Strike(
            f"clock of Redis: {offset}",
            "leases of before end at once, or are renewed",
            wrong_redis(offset),
            Cost.OUTCOMES,
            lacks=lack,
        ),
    )
)

"""Networks that fail, to each that the agent talks to: cut, half open, slow, narrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack

from longshore.runtime.embedded_redis import HOST
from tests.support.fleet import Member
from tests.support.line import Line
from tests.support.scene import BUSY, EXIT_BOUND_S, LEASE_S, Scene
from tests.support.strikes.strike import Cost, Strike

SPARE_S = 3.0
"""For the others to notice."""
DELAY_S = 0.2
BYTES_PER_S = 50_000
"""A fraction of what a busy worker needs of Redis."""

Break = Callable[[Line], AbstractContextManager[None]]

BREAKS: Mapping[str, Break] = {
    "cut": Line.cut,
    "half-open": Line.half_open,
    f"{DELAY_S * 1000:.0f} ms longer each way": lambda line: line.slow(DELAY_S),
    f"{BYTES_PER_S // 1000} kB/s": lambda line: line.narrow(BYTES_PER_S),
}

FOLLOWS = {
    "redis": "results wait in the workers' memory, the rest waits where it comes from",
    "kafka": "what was read is delivered, the rest is read later",
    "port": "deliveries go on, reports wait",
    "targets": "what could not be sent is tried again",
}


def break_lines(place: str, how: Break) -> Callable[[Scene], None]:
    """While time passes, all lines to there are broken."""

    def run(scene: Scene) -> None:
        assert scene.network
        with ExitStack() as stack:
            for line in scene.network.lines(place):
                stack.enter_context(how(line))
            scene.pass_time()

    return run


def stay_away(scene: Scene, worker: Member, leave: Callable[[], None], come_back: Callable[[], None]) -> None:
    """A worker cannot be reached for longer than its leases, takes part again, and is asked to end."""
    scene.until_busy(worker)
    leave()
    try:
        scene.note_missing(worker)
        scene.pass_time(float(scene.fleet.environ["LEASE_S"]) + SPARE_S)
    finally:
        come_back()
    before = worker.attempts()

    def takes_part() -> bool:
        if not scene.accounts.unfinished(scene.load.sent):
            scene.load.publish(BUSY, scene.load.targets)
        return worker.attempts() > before

    scene.until(takes_part, f"{worker.name} takes part again")
    worker.ask_to_end()
    code, _ = worker.wait_end(2 * EXIT_BOUND_S)
    assert code == 0, f"{worker.name} ended with code {code}"


def lose_worker(scene: Scene) -> None:
    """One of several; it lives on, cannot reach Redis for longer than its leases, and comes back."""
    with Line(scene.redis.port) as line, ExitStack() as silence:
        (worker,) = scene.fleet.start("worker", environ={"REDIS_URL": f"redis://{HOST}:{line.port}/0"})
        stay_away(scene, worker.wait_ready(), lambda: silence.enter_context(line.half_open()), silence.close)


def cost_of(place: str, name: str) -> Cost:
    """A target may have done what it had no way to say."""
    return Cost.OUTCOMES if place == "targets" and name in ("cut", "half-open") else Cost.TIME


LINES = (
    Strike(
        "a worker loses Redis for longer than its lease",
        "others take up what it held, a late result is stored, and it takes part again",
        lose_worker,
        Cost.OUTCOMES,
        {"LEASE_S": str(LEASE_S)},
    ),
    *(
        Strike(
            f"network to {place.capitalize()}: {name}",
            FOLLOWS[place],
            break_lines(place, how),
            cost_of(place, name),
            # A target that is away for long is no reason here to give up.
            {"RETRY_MAX_ATTEMPTS": "100"} if place == "targets" else {},
            polls=place in ("port", "redis") and name in ("cut", "half-open"),
            of_kafka=place == "kafka",
        )
        for place in FOLLOWS
        for name, how in BREAKS.items()
    ),
)

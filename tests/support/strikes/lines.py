"""Networks that fail, to each that the agent talks to: cut, half open, slow, narrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack

from tests.support.line import Line
from tests.support.scene import Scene
from tests.support.strikes.strike import Cost, Strike

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
    "redis": "results wait in the workers' memory, Kafka keeps the rest",
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


def cost_of(place: str, name: str) -> Cost:
    """A target may have done what it had no way to say."""
    return Cost.OUTCOMES if place == "targets" and name in ("cut", "half-open") else Cost.TIME


LINES = tuple(
    Strike(
        f"network to {place.capitalize()}: {name}",
        FOLLOWS[place],
        break_lines(place, how),
        cost_of(place, name),
        # A target that is away for long is no reason here to give up.
        {"RETRY_MAX_ATTEMPTS": "100"} if place == "targets" else {},
        polls=place == "port" and name in ("cut", "half-open"),
    )
    for place in FOLLOWS
    for name, how in BREAKS.items()
)

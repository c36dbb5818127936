"""Watches the target for some seconds: answers a second, requests in flight, and how busy the machine is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from bench.agent import Agent

SAMPLE_S = 0.05


@dataclass(frozen=True, slots=True)
class Window:
    """What was seen; `busy` is the share of all cores that anybody used (0 to 1)."""

    answers: int
    seconds: float
    in_flight: Sequence[int]
    busy: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds


def watch(agent: Agent, warm_s: float, window_s: float) -> Window:
    """Waits for `warm_s`, then watches for `window_s`. Raises AssertionError where the ledger ran empty."""
    time.sleep(warm_s)
    psutil.cpu_percent()
    first, start, samples = agent.target.stats(), time.monotonic(), []
    while time.monotonic() < start + window_s:
        time.sleep(SAMPLE_S)
        samples.append(agent.target.stats()["in_flight"])
    last, seconds = agent.target.stats(), time.monotonic() - start
    busy = psutil.cpu_percent() / 100
    assert agent.count("backlog") > 0, "nothing waited any more when the window ended: fill in more"
    return Window(last["answers"] - first["answers"], seconds, samples, busy)

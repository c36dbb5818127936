"""Watches the target for some seconds: answers a second, requests in flight, and how busy the machine is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from bench.agent import Agent
from bench.backlog import waiting

WINDOW_S = 3.0
SAMPLE_S = 0.05
RESERVE = 500
"""As long as more wait, the worker lacks no work."""


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


def watch(agent: Agent, urls: Sequence[str], warm_s: float, window_s: float = WINDOW_S) -> Window:
    """Waits for `warm_s`, then watches for `window_s`, or until few wait for the targets of `urls`.

    Raises AssertionError where that is so at once: more should have been filled in.
    """
    time.sleep(warm_s)
    psutil.cpu_percent()
    first, start = agent.target.stats(), time.monotonic()
    last, samples = first, []
    while time.monotonic() < start + window_s and waiting(agent, urls) > RESERVE:
        time.sleep(SAMPLE_S)
        last, seconds = agent.target.stats(), time.monotonic() - start
        samples.append(last["in_flight"])
    assert samples, f"no more than {RESERVE} waited after {warm_s:g} s: fill in more"
    return Window(last["answers"] - first["answers"], seconds, samples, psutil.cpu_percent() / 100)

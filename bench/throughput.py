"""Rows `rate`, `workers`, `flight`, `memory`, `tuned`: what worker processes reach with a ledger that is full.

Each step starts a fresh worker, fills the ledger through Kafka while the targets are paused, and lets them go on. What
counts is a window after the worker has warmed up and before the ledger is empty.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence

from bench.agent import OPEN_LIMITS, PATIENCE_S, Agent
from bench.backlog import fill
from bench.bed import Bed
from bench.cost import resident_mb
from bench.goals import POST_MS, TUNED_FLIGHT, TUNED_RATE
from bench.measure import Measure, number, percentile
from bench.window import watch
from bench.yardstick import Yardstick
from longshore.ledger.target_control import TargetControl
from tests.support.programs import eventually

ROWS = ("rate", "workers", "flight", "memory", "tuned")
QUICK = range(1)
SLOW = range(1, 41)
"""Ports of the slow targets: with default limits each gets 50 requests at once."""
MEMORY = range(41, 42)
TUNED = range(42, 82)
SLOW_MS = 1000
MEMORY_MS = 2000
MEMORY_FLIGHT = (400, 1000)
WARM_S = 2.0

Figures = tuple[dict[str, float], str]
"""Name → figure, and the note for them."""
Step = Callable[[Agent, Yardstick], Figures]


def measure(bed: Bed, rows: Collection[str], runs: int) -> Iterator[Measure]:
    """All rows with one Redis, one ingest, and workers that come and go."""
    values: dict[str, list[float]] = {}
    notes: dict[str, str] = {}
    with bed.agent(TUNED.stop, {"BACKLOG_LIMIT": "1000000"}) as agent, Yardstick(agent.target.url()) as yardstick:
        agent.start("ingest")
        agent.pause(True, range(TUNED.stop))
        for run in range(runs):
            for needs, step in STEPS:
                if chosen := sorted(needs & set(rows)):
                    bed.progress(f"{', '.join(chosen)}: run {run + 1} of {runs}")
                    with bed.failures_noted(", ".join(chosen)):
                        figures, note = measure_step(step, agent, yardstick)
                        bed.progress(
                            f"  {', '.join(f'{name} {number(value)}' for name, value in figures.items())}; {note}"
                        )
                        for name, figure in figures.items():
                            values.setdefault(name, []).append(figure)
                            notes[name] = note
    for name, each in values.items():
        yield Measure(name, each, notes[name])


def measure_step(step: Step, agent: Agent, yardstick: Yardstick) -> Figures:
    """The step's figures; targets are paused and workers ended after it, in order where it went well."""
    try:
        return step(agent, yardstick)
    finally:
        agent.pause(True, range(TUNED.stop))
        eventually(lambda: agent.target.stats()["in_flight"] == 0, "all are answered", PATIENCE_S, every_s=0.1)
        for name in [name for name in agent.programs if name.startswith("worker")]:
            agent.stop(name)


def measure_rate(agent: Agent, yardstick: Yardstick) -> Figures:
    """Deliveries/s of one worker, then of two."""
    urls = [agent.target.url()]
    agent.start("worker", "worker1", **OPEN_LIMITS)
    fill(agent, urls, 10_000)
    before = yardstick.post_s()
    agent.pause(False, QUICK)
    one = watch(agent, urls, WARM_S)
    agent.pause(True, QUICK)
    post_ms = 500 * (before + yardstick.post_s())
    agent.start("worker", "worker2", **OPEN_LIMITS)
    fill(agent, urls, 12_000)
    agent.pause(False, QUICK)
    two = watch(agent, urls, WARM_S)
    cores = f"{os.cpu_count()} cores, {one.busy:.0%} busy with one worker, {two.busy:.0%} with two"
    figures = {"rate": one.rate, "rate_scaled": one.rate * post_ms / POST_MS, "workers": two.rate / one.rate}
    return figures, f"a post {post_ms:.2f} ms; {cores}"


def measure_flight(agent: Agent, yardstick: Yardstick) -> Figures:
    """Requests in flight with default settings, where targets take 1,000 ms."""
    urls = [agent.target.url(port, f"/slow/{SLOW_MS}") for port in SLOW]
    agent.start("worker")
    fill(agent, urls, 12_000)
    agent.pause(False, SLOW)
    window = watch(agent, urls, 2 * WARM_S)
    return {"flight": percentile(window.in_flight, 90)}, f"{window.rate:.0f}/s, targets take {SLOW_MS} ms"


def measure_memory(agent: Agent, yardstick: Yardstick) -> Figures:
    """The worker's RSS with requests in flight to one target, whose limit is raised step by step."""
    urls = [agent.target.url(port, f"/slow/{MEMORY_MS}") for port in MEMORY]
    worker = agent.start("worker", WORKER_SLOTS=str(max(MEMORY_FLIGHT)), **OPEN_LIMITS)
    fill(agent, urls, 6_000)
    figures, reached = {}, []
    for flight in MEMORY_FLIGHT:
        for port in MEMORY:
            agent.access.targets.set(agent.target.url(port, ""), "", TargetControl(concurrency=flight))
        window = watch(agent, urls, WARM_S + MEMORY_MS / 1000)
        figures[f"memory_{flight}"] = resident_mb(worker.process.pid)
        reached.append(f"{percentile(window.in_flight, 90):.0f}")
    return figures, f"{' and '.join(reached)} in flight"


def measure_tuned(agent: Agent, yardstick: Yardstick) -> Figures:
    """4,000 slots, and targets so slow that they are needed for the rate that is the goal on this machine."""
    post_ms = 1000 * yardstick.post_s()
    slow_ms = round(1000 * TUNED_FLIGHT / (TUNED_RATE * POST_MS / post_ms))
    urls = [agent.target.url(port, f"/slow/{slow_ms}") for port in TUNED]
    agent.start("worker", WORKER_SLOTS=str(TUNED_FLIGHT), **OPEN_LIMITS)
    fill(agent, urls, 16_000)
    agent.pause(False, TUNED)
    # As long as the targets take: what began in one burst is answered in one.
    window = watch(agent, urls, WARM_S + 1.5 * slow_ms / 1000, slow_ms / 1000)
    figures = {
        "tuned": percentile(window.in_flight, 90),
        "tuned_rate": window.rate,
        "tuned_rate_scaled": window.rate * post_ms / POST_MS,
    }
    return figures, f"targets take {slow_ms} ms; a post {post_ms:.2f} ms"


STEPS: Sequence[tuple[set[str], Step]] = (
    ({"rate", "workers"}, measure_rate),
    ({"flight"}, measure_flight),
    ({"memory"}, measure_memory),
    ({"tuned"}, measure_tuned),
)

"""Rows `rate`, `workers`, `flight`, `memory`, `tuned`: what worker processes reach with a ledger that is full.

The ledger is filled through Kafka while the targets are paused; then a fresh worker starts and they go on. What counts
is a window after the worker has warmed up and before the ledger is empty.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence

from bench.agent import OPEN_LIMITS, PATIENCE_S, Agent
from bench.bed import Bed
from bench.cost import resident_mb
from bench.goals import POST_MS, TUNED_FLIGHT, TUNED_RATE
from bench.measure import Measure, percentile
from bench.window import Window, watch
from bench.yardstick import Yardstick
from longshore.ledger.target_control import TargetControl
from tests.support.programs import eventually

ROWS = ("rate", "workers", "flight", "memory", "tuned")
WARM_S = 2.0
WINDOW_S = 4.0
PORTS = range(1, 41)
"""Ports of the slow targets: with default limits each gets 50 requests at once. Port 0 answers at once."""
SLOW_MS = 1000
MEMORY_FLIGHT = (400, 1000)

Values = dict[str, list[float]]


def measure(bed: Bed, rows: Collection[str], runs: int) -> Iterator[Measure]:
    """All rows with one Redis, one ingest, and workers that come and go."""
    values: Values = {}
    notes: dict[str, str] = {}
    with bed.agent(1 + len(PORTS)) as agent, Yardstick(agent.target.url()) as yardstick:
        agent.start("ingest")
        agent.pause(True, [0, *PORTS])
        for run in range(runs):
            for needs, step in STEPS:
                if needs & set(rows):
                    bed.progress(f"{', '.join(sorted(needs & set(rows)))}: run {run + 1} of {runs}")
                    figures, note = step(agent, yardstick)
                    for name, figure in figures.items():
                        values.setdefault(name, []).append(figure)
                        notes[name] = note
    for name, each in values.items():
        yield Measure(name, each, notes[name])


def measure_rate(agent: Agent, yardstick: Yardstick) -> tuple[dict[str, float], str]:
    """Deliveries/s of one worker, then of two."""
    fill(agent, [agent.target.url()], 12_000)
    agent.start("worker", "worker1", **OPEN_LIMITS)
    before = yardstick.post_s()
    one = watch_released(agent, [0])
    agent.pause(True)
    after = yardstick.post_s()
    agent.start("worker", "worker2", **OPEN_LIMITS)
    fill(agent, [agent.target.url()], 12_000)
    two = watch_released(agent, [0])
    finish(agent, [0], "worker1", "worker2")
    post_ms = 500 * (before + after)
    cores = f"{os.cpu_count()} cores, {one.busy:.0%} busy with one worker, {two.busy:.0%} with two"
    figures = {"rate": one.rate, "rate_scaled": one.rate * post_ms / POST_MS, "workers": two.rate / one.rate}
    return figures, f"a post {post_ms:.2f} ms; {cores}"


def measure_flight(agent: Agent, yardstick: Yardstick) -> tuple[dict[str, float], str]:
    """Requests in flight with default settings, where targets take 1,000 ms."""
    fill(agent, slow_urls(agent, SLOW_MS), 8_000)
    agent.start("worker")
    window = watch_released(agent, PORTS, warm_s=2 * WARM_S)
    finish(agent, PORTS, "worker")
    return {"flight": percentile(window.in_flight, 90)}, f"{window.rate:.0f}/s, targets take {SLOW_MS} ms"


def measure_memory(agent: Agent, yardstick: Yardstick) -> tuple[dict[str, float], str]:
    """The worker's RSS with requests in flight to one target, whose limit is raised step by step."""
    url, origin = agent.target.url(1, f"/slow/{SLOW_MS * 3}"), agent.target.url(1, "")
    fill(agent, [url], 8_000)
    worker = agent.start("worker", WORKER_SLOTS=str(max(MEMORY_FLIGHT)), **OPEN_LIMITS)
    figures, reached = {}, []
    for flight in MEMORY_FLIGHT:
        agent.access.targets.set(origin, "", TargetControl(concurrency=flight))
        window = watch(agent, WARM_S + SLOW_MS * 3 / 1000, WINDOW_S)
        figures[f"memory_{flight}"] = resident_mb(worker.process.pid)
        reached.append(f"{percentile(window.in_flight, 90):.0f}")
    finish(agent, [1], "worker")
    return figures, f"{' and '.join(reached)} in flight"


def measure_tuned(agent: Agent, yardstick: Yardstick) -> tuple[dict[str, float], str]:
    """4,000 slots, and targets so slow that they are needed for the rate that is the goal on this machine."""
    post_ms = 1000 * yardstick.post_s()
    slow_ms = round(1000 * TUNED_FLIGHT / (TUNED_RATE * POST_MS / post_ms))
    fill(agent, slow_urls(agent, slow_ms), 16_000)
    agent.start("worker", WORKER_SLOTS=str(TUNED_FLIGHT), **OPEN_LIMITS)
    window = watch_released(agent, PORTS, warm_s=WARM_S + 1.5 * slow_ms / 1000)
    finish(agent, PORTS, "worker")
    figures = {
        "tuned": percentile(window.in_flight, 90),
        "tuned_rate": window.rate,
        "tuned_rate_scaled": window.rate * post_ms / POST_MS,
    }
    return figures, f"targets take {slow_ms} ms; a post {post_ms:.2f} ms"


STEPS: Sequence[tuple[set[str], Callable[[Agent, Yardstick], tuple[dict[str, float], str]]]] = (
    ({"rate", "workers"}, measure_rate),
    ({"flight"}, measure_flight),
    ({"memory"}, measure_memory),
    ({"tuned"}, measure_tuned),
)


def slow_urls(agent: Agent, ms: int) -> list[str]:
    """Every slow target."""
    return [agent.target.url(port, f"/slow/{ms}") for port in PORTS]


def fill(agent: Agent, urls: Sequence[str], count: int) -> None:
    """Until `count` more events wait, in turn for each of `urls`, whose targets are paused."""
    wanted = agent.count("backlog") + count
    agent.publish("event", [urls[number % len(urls)] for number in range(count)])
    eventually(lambda: agent.count("backlog") >= wanted, f"{count} wait", PATIENCE_S, every_s=0.1)


def watch_released(agent: Agent, ports: Collection[int], warm_s: float = WARM_S) -> Window:
    """The window after the targets were released."""
    agent.pause(False, ports)
    return watch(agent, warm_s, WINDOW_S)


def finish(agent: Agent, ports: Collection[int], *workers: str) -> None:
    """Pauses the targets again and ends the workers; what still waits is deleted with Redis."""
    agent.pause(True, ports)
    eventually(lambda: agent.target.stats()["in_flight"] == 0, "all are answered", PATIENCE_S, every_s=0.1)
    for worker in workers:
        agent.stop(worker)

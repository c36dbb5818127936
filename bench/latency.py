"""Rows `latency` and `hang`: from Kafka to the target at 50/s, alone and beside a target that never answers."""

import time
from collections.abc import Collection, Iterator

from bench.agent import PATIENCE_S, Agent
from bench.bed import Bed
from bench.measure import Measure, percentile
from tests.support.programs import eventually

ROWS = ("latency", "hang")
RATE = 50
SECONDS = 10
WARM = 300
TARGETS = range(1, 11)
"""Ports of the healthy targets; port 0 hangs."""
HANGING = 2_000
"""Invocations for the target that hangs; `LANE` of them are sent, the others wait."""
LANE = 50


def measure(bed: Bed, rows: Collection[str], runs: int) -> Iterator[Measure]:
    """With default settings; each run has fresh programs."""
    values: dict[str, list[float]] = {}
    for run in range(runs):
        bed.progress(f"{', '.join(row for row in ROWS if row in rows)}: run {run + 1} of {runs}")
        quiet: dict[str, float] = {}
        beside: dict[str, float] = {}
        with bed.agent(1 + len(TARGETS)) as agent:
            agent.start("ingest")
            agent.start("worker")
            agent.publish("event", [agent.target.url(port) for port in TARGETS] * (WARM // len(TARGETS)))
            agent.wait_done(WARM)
            if "latency" in rows:
                quiet = send_stream(agent)
            if "hang" in rows:
                agent.publish("event", [agent.target.url(0, "/hang")] * HANGING)
                eventually(lambda: agent.target.stats()["in_flight"] >= LANE, "they hang", PATIENCE_S)
                # Otherwise it is ingest's way through them that is measured.
                eventually(lambda: agent.access.ledger.backlog() >= HANGING - LANE, "the others wait", PATIENCE_S)
                beside = send_stream(agent)
            # Not in order: a worker waits long for requests that hang.
            arrivals = agent.target.stop()
        for row, sent in (("latency", quiet), ("hang", beside)):
            delays_ms = [1000 * (arrivals[id][0] - at) for id, at in sent.items()]
            if delays_ms:
                values.setdefault(f"{row}_p50", []).append(percentile(delays_ms, 50))
                values.setdefault(f"{row}_p99", []).append(percentile(delays_ms, 99))
    for name, each in values.items():
        yield Measure(name, each, f"{RATE * SECONDS} events at {RATE}/s for {len(TARGETS)} targets")


def send_stream(agent: Agent) -> dict[str, float]:
    """Sends at a steady rate and waits for the arrivals; returns when each was sent."""
    answers = agent.target.stats()["answers"]
    sent, start = {}, time.monotonic()
    for number in range(RATE * SECONDS):
        time.sleep(max(0.0, start + number / RATE - time.monotonic()))
        id, at = agent.publish_one("event", agent.target.url(TARGETS[number % len(TARGETS)]))
        sent[id] = at
    eventually(lambda: agent.target.stats()["answers"] >= answers + len(sent), "all arrived", PATIENCE_S, every_s=0.1)
    return sent

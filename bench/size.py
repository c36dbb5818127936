"""Row `size`: how much dearer a delivery is where a million wait instead of ten thousand.

Two agents at once, a small one and a large one; windows of them take turns, each between two yardsticks. Entries are
made by ingest's own code and accepted directly. Only the first ones, which are delivered, are sealed for their own id;
the others are copies with another id that nobody opens.
"""

import statistics
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil

from bench.agent import OPEN_LIMITS, Agent
from bench.bed import Bed
from bench.measure import Measure
from bench.messages import event
from bench.yardstick import Yardstick
from config.settings import load
from ingest.kafka.record import KafkaRecord
from ingest.wiring import make_preparer
from longshore.invocation.mapping import Mapping
from longshore.ledger.entry import Entry

ROWS = ("size",)
SMALL, LARGE = 10_000, 1_000_000
DELIVERABLE = 20_000
BATCH = 500
WINDOWS = 5
WINDOW_S = 1.5
WARM_S = 1.0
BYTES_EACH = 4_000
"""Memory that a waiting invocation is given here; more than it takes."""


def measure(bed: Bed, rows: Collection[str], runs: int) -> Iterator[Measure]:
    """One fill, and `WINDOWS` pairs of windows, whatever `runs` says."""
    if bed.quick or psutil.virtual_memory().available < 2 * LARGE * BYTES_EACH:
        bed.progress("size: left out (quick, or too little memory)")
        return
    with bed.agent(environ=OPEN_LIMITS) as small, bed.agent(environ=OPEN_LIMITS) as large:
        with Yardstick(small.target.url()) as yardstick:
            bed.progress(f"size: filling {SMALL:,} and {LARGE:,}")
            for agent, count in ((small, SMALL), (large, LARGE)):
                agent.pause(True)
                # Before the fill, which writes the format that workers read.
                agent.start("worker")
                fill(agent, count)
            costs: dict[Agent, list[float]] = {small: [], large: []}
            for number in range(WINDOWS):
                if max(agent.target.stats()["answers"] for agent in costs) > 0.75 * DELIVERABLE:
                    break  # fast machines have enough after fewer windows
                bed.progress(f"size: pair {number + 1} of {WINDOWS}")
                for agent in costs:
                    before = yardstick.post_s()
                    spent_s = measure_window(agent)
                    costs[agent].append(spent_s / statistics.mean((before, yardstick.post_s())))
        memory = large.access.ledger.redis.info("memory")["used_memory"]
    ratios = [100 * (many / few - 1) for few, many in zip(costs[small], costs[large], strict=True)]
    few, many = (statistics.median(each) for each in costs.values())
    note = f"{few:.2f} posts with {SMALL:,}, {many:.2f} with {LARGE:,}; Redis {memory / LARGE:.0f} bytes each"
    yield Measure("size", [statistics.median(ratios)], note)


def fill(agent: Agent, count: int) -> None:
    """Until `count` more than are delivered wait for the target, which is paused."""
    settings = load(agent.environ)
    mapping = Mapping.load(None, {})
    preparer = make_preparer(settings, mapping, agent.access)
    template: list[Entry] = []
    for first in range(0, DELIVERABLE, BATCH):
        now_ms = round(time.time() * 1000)
        records = [
            KafkaRecord(settings.change_log_topic, 0, n, now_ms, event(f"r_{n}", agent.target.url()))
            for n in range(first, first + BATCH)
        ]
        template = list(preparer.prepare(records).entries)
        agent.access.ledger.accept((), template, max_claims=0)
    mapping.close()

    def accept_copies(first: int) -> None:
        copies = [replace(entry, id=f"copy_{n}", origin=f"copies/0/{n}") for n, entry in enumerate(template, first)]
        agent.access.ledger.accept((), copies, max_claims=0)

    with ThreadPoolExecutor(2) as pool:  # while Redis works for one, the other makes more
        for _ in pool.map(accept_copies, range(0, count, BATCH)):
            pass


def measure_window(agent: Agent) -> float:
    """CPU seconds of worker and Redis for a delivery, while the target is released."""
    agent.pause(False)
    time.sleep(WARM_S)
    before, first = agent.read(), agent.target.stats()["answers"]
    time.sleep(WINDOW_S)
    cost, answers = agent.read().since(before), agent.target.stats()["answers"] - first
    agent.pause(True)
    time.sleep(0.5)
    return cost.total_s / answers

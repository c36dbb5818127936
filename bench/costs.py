"""Rows `event`, `run`, `sync`: what an invocation costs from Kafka to the end of its last report.

Chunks of all kinds take turns, each between two measurements of the yardstick; a chunk begins when its messages go to
Kafka and ends when the last one is delivered and reported.
"""

import statistics
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from bench.agent import OPEN_LIMITS, Agent
from bench.bed import Bed
from bench.cost import Cost
from bench.measure import Measure
from bench.messages import KINDS
from bench.yardstick import Yardstick

ROWS = tuple(KINDS)
CHUNKS = 5
CHUNK_S = 1.5
WARM = (100, 400)
"""Messages before the first chunk; the second time says how many make a chunk of `CHUNK_S`."""
MIN_CHUNK, MAX_CHUNK = 1000, 3000
# A chunk waits for its run logs, so a long delay would count as work of an idle agent.
ENVIRON = OPEN_LIMITS | {"REPORT_DELAY_S": "0.5"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """One drain of `count` messages of a kind, in `seconds`; `post_s` is the yardstick around it."""

    kind: str
    count: int
    seconds: float
    cost: Cost
    post_s: float

    @property
    def posts(self) -> float:
        """CPU of an invocation, as a multiple of a plain post."""
        return self.cost.total_s / self.count / self.post_s


def measure(bed: Bed, rows: Collection[str], runs: int) -> Iterator[Measure]:
    """Several runs, each with fresh programs."""
    kinds = [kind for kind in ROWS if kind in rows]
    all_chunks: list[list[Chunk]] = []
    for number in range(runs):
        bed.progress(f"{', '.join(kinds)}: run {number + 1} of {runs}")
        with (
            bed.failures_noted(", ".join(kinds)),
            bed.agent(environ=ENVIRON) as agent,
            Yardstick(agent.target.url()) as yardstick,
        ):
            agent.start("ingest")
            agent.start("worker")
            chunks = []
            for chunk in measure_chunks(agent, yardstick, kinds):
                chunks.append(chunk)
                bed.progress(f"  {chunk.kind}: {chunk.posts:.2f} posts, {chunk.count / chunk.seconds:.0f}/s")
            all_chunks.append(chunks)
    if not all_chunks:
        return
    for kind in kinds:
        yield from summarize(kind, [[chunk for chunk in run if chunk.kind == kind] for run in all_chunks])


def measure_chunks(agent: Agent, yardstick: Yardstick, kinds: list[str]) -> Iterator[Chunk]:
    """`CHUNKS` of each kind in turn."""
    sizes = {}
    for kind in kinds:
        for count in WARM:
            _, seconds = drain(agent, kind, count)
        sizes[kind] = min(MAX_CHUNK, max(MIN_CHUNK, round(CHUNK_S * count / seconds)))
    post_s = yardstick.post_s()
    for _ in range(CHUNKS):
        for kind in kinds:
            cost, seconds = drain(agent, kind, sizes[kind])
            before, post_s = post_s, yardstick.post_s()
            yield Chunk(kind, sizes[kind], seconds, cost, (before + post_s) / 2)


def drain(agent: Agent, kind: str, count: int) -> tuple[Cost, float]:
    """Costs and seconds of `count` messages, from Kafka until all are delivered and reported."""
    done = agent.count()
    before, own, start = agent.read(), agent.own_trips, time.monotonic()
    agent.publish(kind, [agent.target.url()] * count)
    agent.wait_done(done + count)
    seconds = time.monotonic() - start
    reading = agent.read()
    return reading.since(before, agent.own_trips - own), seconds


def summarize(kind: str, runs: list[list[Chunk]]) -> Iterator[Measure]:
    """The median chunk of each run, in the figures of the row."""
    chunks = [chunk for run in runs for chunk in run]

    def medians(figure: Callable[[Chunk], float]) -> list[float]:
        return [statistics.median(figure(chunk) for chunk in run) for run in runs]

    parts = {part: statistics.median(chunk.cost.cpu_s[part] / chunk.count / chunk.post_s for chunk in chunks)
             for part in chunks[0].cost.cpu_s}  # fmt: skip
    calls = statistics.median(chunk.cost.port_calls / chunk.count for chunk in chunks)
    rate = statistics.median(chunk.count / chunk.seconds for chunk in chunks)
    shares = ", ".join(f"{part} {posts:.2f}" for part, posts in parts.items())
    post_ms = 1000 * statistics.median(chunk.post_s for chunk in chunks)
    note = f"{shares}; {calls:.1f} Port calls; {rate:.0f}/s; chunks of {chunks[-1].count}; a post {post_ms:.2f} ms"
    yield Measure(kind, medians(lambda chunk: chunk.posts), note)
    yield Measure(f"{kind}_trips", medians(lambda chunk: chunk.cost.trips / chunk.count))
    yield Measure(f"{kind}_switches", medians(lambda chunk: chunk.cost.switches / chunk.count))

"""The model of `docs/explanation/capacity.md` with measured figures: what one core of each part carries.

`.venv/bin/python -m bench model` prints it for the last results, and beside it what was measured, so that a model that
is wrong shows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.results import Results

SHARE = re.compile(r"(ingest|worker|redis) ([\d.]+)")
POST = re.compile(r"a post ([\d.]+) ms")
KINDS = {"event": "change log event", "run": "asynchronous run", "sync": "synchronous run"}
LANE_REQUESTS = 50
"""`LANE_CONCURRENCY` by default."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Posts that each part spends on one invocation, and CPU-ms of a post."""

    posts: Mapping[str, float]
    post_ms: float

    @classmethod
    def parse(cls, note: str) -> "Costs":
        """The costs in the note of a row `event`, `run` or `sync`."""
        post = POST.search(note)
        if post is None:
            raise ValueError(f"no costs in {note!r}")
        return cls({part: float(posts) for part, posts in SHARE.findall(note)}, float(post[1]))

    def per_core(self, part: str) -> float:
        """Invocations per second of one core that does nothing else: 1000 ÷ (posts × CPU-ms of a post)."""
        return 1000 / (self.posts[part] * self.post_ms)

    def fleet_rate(self, workers: int, ingests: int) -> float:
        """Invocations per second of a fleet with a core for each process: the slowest part decides."""
        return min(self.per_core("redis"), workers * self.per_core("worker"), ingests * self.per_core("ingest"))

    def rate_on(self, cores: int) -> float:
        """Invocations per second of one worker where all parts share `cores`, and nothing else runs."""
        total = 1000 / (sum(self.posts.values()) * self.post_ms)
        return min(self.per_core("worker"), cores * total)


def flight_needed(rate: float, seconds: float) -> float:
    """Requests in flight by Little's law, where targets take so many seconds."""
    return rate * seconds


def lane_rate(seconds: float, requests: int = LANE_REQUESTS) -> float:
    """Deliveries per second that one lane reaches at most, where its target takes so many seconds."""
    return requests / seconds


def report(results: Results) -> str:
    """The model as a text, for the rows that were measured."""
    lines: list[str] = []
    for kind, text in KINDS.items():
        if kind in results.measures:
            costs = Costs.parse(results.measures[kind].note)
            lines += describe(text, costs)
    if not lines:
        return "Nothing was measured yet: make bench"
    if "event" in results.measures and "rate" in results.measures:
        lines += compare(results)
    return "\n".join(lines)


def describe(text: str, costs: Costs) -> Sequence[str]:
    """What one core of each part carries."""
    parts = ", ".join(f"{part} {costs.per_core(part):,.0f}/s" for part in costs.posts)
    four = costs.fleet_rate(4, 1)
    return [f"{text}: one core of {parts}; four workers and one ingest {four:,.0f}/s (a post {costs.post_ms:.2f} ms)"]


def compare(results: Results) -> Sequence[str]:
    """The model's rate of one worker beside the measured one; they differ by what the machine does otherwise."""
    costs = Costs.parse(results.measures["event"].note)
    cores = int(results.machines["event"]["cores"])
    # Ingest has nothing to do while the ledger is drained.
    drained = Costs({part: posts for part, posts in costs.posts.items() if part != "ingest"}, costs.post_ms)
    expected, measured = drained.rate_on(cores), results.measures["rate"].median
    return [
        f"one worker, {cores} cores: model {expected:,.0f} events/s, measured {measured:,.0f}/s "
        f"({measured / expected:.0%} of it)"
    ]

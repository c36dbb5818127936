"""What the agent is to reach; the table of `docs/explanation/capacity.md` has the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass

POST_MS = 0.38
"""CPU-ms of a plain post on the machine that the goals for rates were set for; they are scaled by it."""

TUNED_FLIGHT, TUNED_RATE = 4_000, 1_500
"""Requests in flight with `WORKER_SLOTS=4000`, and deliveries/s with them where a post costs `POST_MS`."""

CORES_FOR_TWO = 4
"""Two workers are no faster where Redis, target and bench leave them no core each."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure of a row: at most `limit`, or with `at_least` at least so much. None: only reported."""

    row: str
    name: str
    text: str
    unit: str
    limit: float | None = None
    later: float | None = None
    """What is aimed at next."""
    at_least: bool = False
    cores: int = 1
    """On a machine with fewer it is only reported."""

    def is_met(self, value: float, cores: int) -> bool | None:
        """Whether `value` is good enough; None where that cannot be said."""
        if self.limit is None or cores < self.cores:
            return None
        return value >= self.limit if self.at_least else value <= self.limit

    def limit_text(self) -> str:
        """As `≤ 1.8, then 1.4`; empty without a limit."""
        if self.limit is None:
            return ""
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.limit:,g}" + (f", then {self.later:,g}" if self.later is not None else "")


GOALS: Sequence[Goal] = (
    Goal("event", "event", "change log event of 1.5 KB, all in", "posts", 1.8, 1.4),
    Goal("event", "event_trips", "its Redis round trips", "", 0.3),
    Goal("event", "event_switches", "its thread switches in the worker", "", 5),
    Goal("instructions", "event_worker", "its instructions in the worker", "thousand", 2_000),
    Goal("instructions", "event_redis", "its instructions in Redis", "thousand", 550),
    Goal("run", "run", "asynchronous run with its reports, 1 Port call", "posts", 3.0, 2.3),
    Goal("run", "run_trips", "its Redis round trips", ""),
    Goal("run", "run_switches", "its thread switches in the worker", ""),
    Goal("sync", "sync", "synchronous run, 3 Port calls", "posts", 4.0),
    Goal("sync", "sync_trips", "its Redis round trips", ""),
    Goal("sync", "sync_switches", "its thread switches in the worker", ""),
    Goal("rate", "rate", "deliveries of one worker process, measured", "1/s"),
    Goal("rate", "rate_scaled", "the same where a post costs 0.38 ms", "1/s", 1_500, at_least=True),
    Goal("workers", "workers", "two workers, in multiples of one", "", 1.8, at_least=True, cores=CORES_FOR_TWO),
    Goal("flight", "flight", "in flight by default, targets take 1,000 ms", "", 1_000, at_least=True),
    Goal("tuned", "tuned", "in flight with WORKER_SLOTS=4000", "", TUNED_FLIGHT * 0.99, at_least=True),
    Goal("tuned", "tuned_rate", "deliveries meanwhile, measured", "1/s"),
    Goal("tuned", "tuned_rate_scaled", "the same where a post costs 0.38 ms", "1/s", TUNED_RATE, at_least=True),
    Goal("memory", "memory_400", "RSS of a worker with 400 in flight", "MB", 100),
    Goal("memory", "memory_1000", "RSS of a worker with 1,000 in flight", "MB", 110),
    Goal("idle", "idle", "memory of a whole `longshore run`, idle", "MB", 200),
    Goal("latency", "latency_p50", "Kafka to target at 50/s, median", "ms", 4),
    Goal("latency", "latency_p99", "Kafka to target at 50/s, p99", "ms", 10),
    Goal("hang", "hang_p50", "beside a target that hangs, median", "ms"),
    Goal("hang", "hang_p99", "beside a target that hangs, p99", "ms", 100),
    Goal("start", "start", "start of `longshore run` to the first delivery", "s", 2.5),
    Goal("command", "command", "a command of the CLI", "s", 0.5),
    Goal("size", "size", "dearer with 1,000,000 waiting than with 10,000", "%", 10),
)

ROWS: Sequence[str] = tuple(dict.fromkeys(goal.row for goal in GOALS))
"""What can be asked for by name."""

"""The health and the counters of ingest, whatever its source: its heartbeat, why it pauses, and what it stored."""

from collections import Counter
from collections.abc import Iterable, Sequence

from longshore.ledger.entry import Accepted, Entry
from longshore.telemetry import metrics
from longshore.telemetry.health import PROCESS_HEALTH, LoopHeartbeat

WAIT_S = 30.0
"""On top of LIVENESS_S: what one turn may wait for a Redis or a source that does not answer."""
PAUSE_CAUSES = ("backlog", "memory", "redis", "stall", "slots", "operator")
"""Values of the metrics' label."""


class IngestHealth:
    """Of one ingest process. For the thread that reads."""

    def __init__(self, liveness_s: float, source: str) -> None:
        """Adds the check to the program's health. A loop that pauses goes on turning, so it is alive.

        `source` is the name of what is read, for people.
        """
        self._cause = ""
        for cause in PAUSE_CAUSES:
            metrics.PAUSED.labels(cause).set(0)
        heartbeat = LoopHeartbeat(f"the loop that reads {source}", liveness_s + WAIT_S)
        self.turn = heartbeat.beat
        """To be called with each turn of the loop that reads, and while it waits for what it needs."""
        PROCESS_HEALTH.alive_if("reading", heartbeat.check)

    def set_pause_cause(self, cause: str) -> None:
        """Reading is paused for this cause; empty: it is not."""
        if cause == self._cause:
            return
        if self._cause:
            metrics.PAUSED.labels(self._cause).set(0)
        if cause:
            metrics.PAUSED.labels(cause).set(1)
            metrics.PAUSES.labels(cause).inc()
        self._cause = cause


def count_stored(skipped: Iterable[str], entries: Sequence[Entry], accepted: Accepted) -> None:
    """Counts what the ledger took of a batch; `skipped` are the reasons of what made no entry."""
    for reason, count in Counter(skipped).items():
        metrics.SKIPPED.labels(reason).inc(count)
    new = [entry for entry, result in zip(entries, accepted.results, strict=True) if result == "accepted"]
    for kind, count in Counter(entry.kind.value for entry in new).items():
        metrics.ACCEPTED.labels(kind).inc(count)
    for reason, count in Counter(entry.dead for entry in new if entry.dead).items():
        metrics.DEAD_LETTERS.labels(reason).inc(count)
    metrics.REPEATED.inc(len(entries) - len(new))

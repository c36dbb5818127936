"""What the intake shows of itself: signs of life, whether it has Kafka, how far behind it is and why it pauses."""

from collections import Counter
from collections.abc import Iterable, Sequence

from ingest.kafka.consumer import KafkaReader
from ingest.kafka.record import Partition
from ingest.outage import Outage
from longshore.store.entry import Accepted, Entry, Span
from longshore.telemetry import metrics
from longshore.telemetry.health import OURS, Finding, Pulse

WAIT_S = 30.0
"""On top of LIVENESS_S: what one turn may wait for a Redis or a Kafka that does not answer."""
CAUSES = ("backlog", "memory", "redis", "stall")
"""Of pauses."""


class IngestHealth:
    """Of one ingest process. Each method is for one thread."""

    def __init__(self, liveness_s: float, kafka: Outage) -> None:
        """Adds the checks to the program's health. A reader that pauses goes on turning, so it is alive."""
        self._kafka = kafka
        self._reader: KafkaReader | None = None
        self._paused = ""
        self._lagging: set[Partition] = set()
        for cause in CAUSES:
            metrics.PAUSED.labels(cause).set(0)
        self.polls = Pulse("the loop that reads Kafka", liveness_s + WAIT_S)
        OURS.alive_if("reading", self.polls.check)
        OURS.ready_if("kafka", self._check_kafka)

    def reads_with(self, reader: KafkaReader) -> None:
        """The consumer from now on."""
        self._reader = reader

    def paused(self, cause: str) -> None:
        """Reading is paused for this cause; empty: it is not."""
        if cause == self._paused:
            return
        if self._paused:
            metrics.PAUSED.labels(self._paused).set(0)
        if cause:
            metrics.PAUSED.labels(cause).set(1)
            metrics.PAUSES.labels(cause).inc()
        self._paused = cause

    def look_at_lag(self) -> None:
        """Measures how far behind each partition is; those that went to others are forgotten."""
        if self._reader is None or self._kafka.is_on:
            return
        lags = self._reader.lags()
        for place in self._lagging - lags.keys():
            metrics.LAG.remove(place[0], str(place[1]))
        for place, lag in lags.items():
            metrics.LAG.labels(place[0], str(place[1])).set(lag)
        self._lagging = set(lags)
        metrics.PARTITIONS.set(len(self._reader.assignment_ids))

    def _check_kafka(self) -> Finding:
        if self._kafka.is_on:
            return Finding(False, "no broker of Kafka can be reached")
        if self._reader is None or not self._reader.joined:
            return Finding(False, "it has not joined its consumer group yet")
        count = len(self._reader.assignment_ids)
        return Finding(True, f"it has joined its consumer group, with {count} partitions")


def count_stored(spans: Iterable[Span], entries: Sequence[Entry], accepted: Accepted) -> None:
    """Counts what the ledger took of a batch."""
    for span in spans:
        for reason, count in span.skipped.items():
            metrics.SKIPPED.labels(reason).inc(count)
    new = [entry for entry, result in zip(entries, accepted.results, strict=True) if result == "accepted"]
    for kind, count in Counter(entry.kind.value for entry in new).items():
        metrics.ACCEPTED.labels(kind).inc(count)
    for reason, count in Counter(entry.dead for entry in new if entry.dead).items():
        metrics.DEAD_LETTERS.labels(reason).inc(count)
    metrics.REPEATED.inc(len(entries) - len(new))

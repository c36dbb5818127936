"""The health of the consumer: whether it has joined its group, and how far behind it is."""

from ingest.kafka.consumer import KafkaReader
from ingest.kafka.record import Partition
from ingest.outage import Outage
from longshore.telemetry import metrics
from longshore.telemetry.health import PROCESS_HEALTH, CheckResult


class GroupHealth:
    """Of the consumer at work. Each method is for one thread."""

    def __init__(self, outage: Outage) -> None:
        """Adds the check to the program's health; `outage` is Kafka's."""
        self._outage = outage
        self._reader: KafkaReader | None = None
        self._lagging: set[Partition] = set()
        PROCESS_HEALTH.ready_if("kafka", self._check)

    def use(self, reader: KafkaReader) -> None:
        """It is the consumer at work from now on."""
        self._reader = reader

    def measure_lags(self) -> None:
        """Measures how far behind each partition is; those that went to others are forgotten."""
        if self._reader is None or self._outage.is_on:
            return
        lags = self._reader.measure_lags()
        for partition in self._lagging - lags.keys():
            metrics.LAG.remove(partition[0], str(partition[1]))
        for partition, lag in lags.items():
            metrics.LAG.labels(partition[0], str(partition[1])).set(lag)
        self._lagging = set(lags)
        metrics.PARTITIONS.set(len(self._reader.assignment_ids))

    def _check(self) -> CheckResult:
        if self._outage.is_on:
            return CheckResult(False, "no broker of Kafka can be reached")
        if self._reader is None or not self._reader.has_joined:
            return CheckResult(False, "it has not joined its consumer group yet")
        count = len(self._reader.assignment_ids)
        return CheckResult(True, f"it has joined its consumer group, with {count} partitions")

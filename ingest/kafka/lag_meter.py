"""How many messages of each partition are still to be read, as far as is known."""

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ingest.kafka.record import Partition

QUERY_S = 0.1
"""How long asking Kafka for the end of one partition may hold up the thread that polls."""


class LagMeter:
    """Keeps the last known end of each partition."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._ends: dict[Partition, int] = {}
        self._turn = 0

    def measure(self, next_offsets: Mapping[Partition, int], is_paused: bool) -> dict[Partition, int]:
        """The lag behind the end of each partition of `next_offsets` whose end is known.

        librdkafka learns of new ends while it fetches. While it is paused, Kafka is asked, for one partition in a call.
        """
        self._turn += 1
        partitions = list(next_offsets)
        for number, partition in enumerate(partitions):
            asks_kafka = is_paused and number == self._turn % len(partitions)
            try:
                watermarks = self._consumer.get_watermark_offsets(
                    TopicPartition(*partition), timeout=QUERY_S, cached=not asks_kafka
                )
            except KafkaException:
                continue
            if watermarks and watermarks[1] >= 0:
                end = watermarks[1]
                # What librdkafka remembers may be older than Kafka's last answer.
                self._ends[partition] = end if asks_kafka else max(end, self._ends.get(partition, 0))
        self._ends = {partition: end for partition, end in self._ends.items() if partition in next_offsets}
        return {partition: max(0, end - next_offsets[partition]) for partition, end in self._ends.items()}

"""Which partitions librdkafka does not fetch for now: all of them, or single ones that are on hold."""

from collections.abc import Collection, Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ingest.kafka.record import Partition
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)


class FetchPauses:
    """Pauses and resumes the partitions of `next_offsets`; others are paused once they are read (`apply`)."""

    def __init__(self, consumer: Consumer, next_offsets: Mapping[Partition, int]) -> None:
        self._consumer = consumer
        self._next_offsets = next_offsets
        self._on_hold: set[Partition] = set()
        self.is_paused = False
        """Whether all are paused."""

    @property
    def on_hold(self) -> Collection[Partition]:
        """Those that are paused whatever becomes of the others."""
        return self._on_hold

    def pause_all(self, is_paused: bool) -> None:
        """Stop fetching, or go on with all but those on hold."""
        if is_paused != self.is_paused:
            self.is_paused = is_paused
            self.apply(self._next_offsets)

    def set_on_hold(self, partitions: Collection[Partition]) -> Collection[Partition]:
        """Stop fetching these, and no more than these. Returns those of ours that are fetched again."""
        changed = self._on_hold.symmetric_difference(partitions)
        if changed:
            self._on_hold = set(partitions)
            self.apply(changed)
        return [
            partition for partition in changed if partition in self._next_offsets and partition not in self._on_hold
        ]

    def apply_after_assign(self) -> None:
        """Librdkafka fetches all that it is assigned, whatever was paused before."""
        self.apply(self._next_offsets if self.is_paused else self._on_hold)

    def apply(self, partitions: Iterable[Partition]) -> None:
        """Have librdkafka know which of `partitions` are paused."""
        pause: list[TopicPartition] = []
        resume: list[TopicPartition] = []
        for partition in self._next_offsets.keys() & partitions:
            is_paused = self.is_paused or partition in self._on_hold
            (pause if is_paused else resume).append(TopicPartition(*partition))
        try:
            if pause:
                self._consumer.pause(pause)
            if resume:
                self._consumer.resume(resume)
        except KafkaException as error:
            log.event(events.KAFKA_PAUSE_FAILED, problem=error.args[0].str())

"""What the thread that polls Kafka and the ledger writer's thread have in common, whichever consumer is at work."""

from collections.abc import Collection
from dataclasses import dataclass

from ingest.kafka.offsets import Offsets
from ingest.kafka.read_positions import ReadPositions
from ingest.kafka.record import Partition
from ingest.kafka.record_queue import RecordQueue
from ingest.kafka.start_position import StartPosition


@dataclass(frozen=True, slots=True)
class SharedState:
    """Outlives a consumer: a new one, for new credentials, goes on with it."""

    queue: RecordQueue
    positions: ReadPositions
    offsets: Offsets

    def on_assigned(self, partition: Partition, assignment_id: int, start: StartPosition) -> None:
        """`partition` is read under this assignment, from there. Before any of it is queued."""
        self.offsets.on_assigned(partition, assignment_id, start)
        self.positions.begin(partition, assignment_id, start)

    def on_lost(self, partitions: Collection[Partition]) -> None:
        """They are no longer read on from where they were: revoked, or read again from further back."""
        self.queue.drop(partitions)
        for partition in partitions:
            self.offsets.on_revoked(partition)

"""Kafka as a source of invocations: two threads, and what stands between them.

The service's thread polls (`run`); nothing there waits for Redis, so the group never misses this member. The ledger
writer's thread calls all else. An offset is committed seconds after the ledger had it, see `offsets`: a crash anywhere
repeats those seconds, and the ledger knows the repeats by their ids.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from config.settings import Settings
from ingest.announcement import announce_streamer
from ingest.background import T, in_background, wait_for
from ingest.ingest_health import IngestHealth
from ingest.kafka import consumer_options, credentials
from ingest.kafka.consumer_sessions import ConsumerSessions
from ingest.kafka.credentials import KafkaAccess
from ingest.kafka.finished_offsets import FinishedOffsets
from ingest.kafka.offset_ranges import build_ranges
from ingest.kafka.offsets import Offsets, TrailingOffsets
from ingest.kafka.read_positions import ReadPositions
from ingest.kafka.record import KafkaRecord
from ingest.kafka.record_queue import RecordQueue
from ingest.kafka.replicas import Replicas
from ingest.kafka.shared_state import SharedState
from ingest.source import Progress, Source
from longshore.ledger.entry import Accepted
from longshore.ledger.ledger import Ledger
from longshore.ledger.partition_offsets import read_unfinished_offsets
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.port import PortClient

log = EventLog(__name__)

ON_HOLD_TAKE_S = 0.3
"""How long `take` waits while a partition is on hold: it may go on as soon as something of it is finished."""


class KafkaSource(Source[KafkaRecord]):
    """Invocations from Kafka's topics. See `Source`."""

    def __init__(
        self, settings: Settings, ledger: Ledger, port: PortClient, health: IngestHealth, stop: threading.Event
    ) -> None:
        """`stop` ends `run`. Raises `ConfigError` for an option that librdkafka refuses."""
        consumer_options.check(settings)
        self._settings = settings
        self._ledger = ledger
        self._port = port
        self._health = health
        self._stop = stop
        self._replicas: Replicas | None = None
        self._queue = RecordQueue(settings.kafka_batch_size)
        self._positions = ReadPositions()
        self._offsets = self._make_offsets()
        state = SharedState(self._queue, self._positions, self._offsets)
        self._sessions = ConsumerSessions(settings, ledger, state, health, stop)
        self._announcement: Future[bool] | None = None

    def _make_offsets(self) -> Offsets:
        if self._settings.commits_finished:
            return FinishedOffsets()
        replicas = self._settings.redis_wait_replicas
        trailing = TrailingOffsets(self._settings.commit_delay_s, replicated=replicas > 0)
        if replicas:
            self._replicas = Replicas(self._ledger, replicas, trailing)
        return trailing

    def start(self) -> None:
        """See `Source`. Tells Port that runs are taken from Kafka, before anything else is asked of it."""
        settings = self._settings
        reset = settings.kafka_consumer_auto_offset_reset
        log.event(
            events.INGEST_STARTED,
            topics=f"{settings.runs_topic} {settings.change_log_topic}",
            group=settings.kafka_consumer_group_id,
            offset_reset=reset,
            commits="finished" if settings.commits_finished else "trailing",
        )
        if reset in ("largest", "latest"):
            log.event(
                events.INGEST_OLDER_RECORDS_SKIPPED,
                group=settings.kafka_consumer_group_id,
            )
        self._announcement = in_background(
            "announce", lambda: announce_streamer(self._port, self._settings.streamer_name)
        )
        if self._replicas is not None:
            self._replicas.start()

    def run(self, pause_cause: Callable[[], str]) -> None:
        """See `Source`. A consumer that can read no more, or logs in with old credentials, is followed by another."""
        access = credentials.from_settings(self._settings)
        if access is None and (self._announcement is None or self._wait_for(self._announcement)):
            access = self._wait_for(in_background("kafka-credentials", self._ask_port))
        fetch = None if self._settings.using_local_port_instance else self._ask_port
        while access is not None:
            access = self._sessions.run(access, fetch, pause_cause)

    def _ask_port(self) -> KafkaAccess | None:
        return credentials.from_port(self._port, self._stop)

    def _wait_for(self, future: "Future[T]") -> T | None:
        return wait_for(future, self._stop, self._health.turn)

    def close(self) -> None:
        """See `Source`."""
        self._queue.close()

    def take(self, timeout_s: float) -> Sequence[KafkaRecord]:
        """See `Source`."""
        return self._queue.take(min(timeout_s, ON_HOLD_TAKE_S) if self._queue.on_hold else timeout_s) or ()

    def admit(self, records: Sequence[KafkaRecord]) -> Sequence[KafkaRecord]:
        """See `Source`. What was revoked is another consumer's; a partition whose commit is full waits, and no other.

        What waits is in the queue again, in its order: not even a later record of that partition is stored before.
        """
        ours = [record for record in records if self._positions.is_ours(record)]
        partitions = {record.topic_partition for record in ours}
        full = partitions & {*self._offsets.find_full(ours), *self._queue.on_hold}
        for topic, partition in full:
            self._queue.hold(
                (topic, partition), [record for record in ours if record.topic_partition == (topic, partition)]
            )
            log.event(events.INGEST_PARTITION_HELD, topic=topic, partition=partition)
        return [record for record in ours if record.topic_partition not in full]

    def is_finished(self, record: KafkaRecord) -> bool:
        """See `Source`."""
        return self._positions.is_finished(record)

    def sync(self) -> None:
        """See `Source`."""
        self._positions.sync(self._ledger)

    def progress(self, records: Sequence[KafkaRecord], skipped: Sequence[tuple[KafkaRecord, str]]) -> Progress:
        """See `Source`."""
        return build_ranges(records, self._positions.expected_offsets(), skipped)

    def position(self) -> Progress:
        """See `Source`."""
        return self._positions.ranges()

    def confirm(self, records: Sequence[KafkaRecord], accepted: Accepted) -> bool:
        """See `Source`. Begins the way of the offsets to a commit, see `offsets`."""
        if accepted.rewinds:
            self._positions.rewind(accepted)
            return False
        for last in {record.topic_partition: record for record in records}.values():
            self._positions.advance(last.topic_partition, last.assignment_id, last.offset + 1)
            self._offsets.on_stored(last.topic_partition, last.assignment_id, last.offset + 1, accepted.ledger)
        return True

    def refresh(self) -> None:
        """See `Source`. What is finished makes room in the commits, so partitions on hold may go on."""
        self._offsets.refresh(partial(read_unfinished_offsets, self._ledger))
        for partition, waiting in self._queue.on_hold.items():
            if not self._offsets.find_full([record for record in waiting if self._positions.is_ours(record)]):
                self._queue.release(partition)
                log.event(events.INGEST_PARTITION_RELEASED, topic=partition[0], partition=partition[1])

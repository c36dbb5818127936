"""The intake process: starts in the order of the wire contract, reads until it is told to stop, and ends quickly.

Waits for whatever is away (Redis, Port, Kafka) and says so, once. Ends within a second of SIGTERM or SIGINT in every
phase: what it has in hand is not committed, so nothing needs to be saved.
"""

import signal
import threading
from collections.abc import Collection
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from types import FrameType
from typing import Any

from config.settings import Settings
from ingest.backpressure import Backpressure
from ingest.ingest_health import WAIT_S, IngestHealth
from ingest.kafka import consumer_options, credentials
from ingest.kafka.consumer import KafkaReader
from ingest.kafka.credential_refresher import CredentialRefresher
from ingest.kafka.credentials import KafkaAccess, in_background
from ingest.kafka.finished_offsets import FinishedOffsets
from ingest.kafka.offsets import Offsets, TrailingOffsets
from ingest.kafka.poll_loop import PollLoop
from ingest.kafka.record import Partition
from ingest.kafka.record_queue import RecordQueue
from ingest.kafka.replicas import Replicas
from ingest.kafka.start_resolver import StartOffsetResolver
from ingest.ledger_writer import LedgerWriter
from ingest.outage import Outage
from ingest.wiring import make_limits, make_preparer
from longshore.errors import ConfigError, place_of
from longshore.invocation.mapping import Mapping
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.ledger_access import open_ledger
from longshore.periodic import Periodic
from longshore.store.brokers import Brokers
from longshore.telemetry.port_calls import CountedPortClient
from tasks.celery.app import make_app
from tasks.celery.publish import Publisher

log = EventLog(__name__)

STORE_GRACE_S = 0.5
"""How long a batch that is being stored gets at the end; what is not stored stays uncommitted."""
CLOSE_GRACE_S = 0.4
"""How long leaving the consumer group may take; a broker that does not answer finds out by itself."""
LOOK_S = 0.1
BROKERS_S = 30.0
"""How often the ledger is told of the brokers: it may be another one by now."""
BATCH_TIMES = 5
"""So many times LIVENESS_S may a batch take whose messages all keep the mapping engine busy until it is cut off."""

REDIS_CONNECTIONS = 4


def run(settings: Settings) -> int:
    """Run the intake in the foreground until SIGTERM or SIGINT; returns the exit code.

    Raises ConfigError for what no restart mends: a mapping file that is none, an option that librdkafka refuses.
    """
    stop = threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return IngestService(settings, stop).run()


class IngestService:
    """Ingest, wired together. Works until `stop` is set."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        consumer_options.check(settings)
        self._settings = settings
        self._stop = stop
        self._mapping = Mapping.load(settings.mapping_path, settings.mapping_env())
        self._port = CountedPortClient(settings.port_api_base_url, settings.port_client_id, settings.port_client_secret)
        self._publisher = Publisher(make_app(settings))
        access = open_ledger(settings, REDIS_CONNECTIONS)
        self._ledger = access.ledger
        self._assignment_ids: dict[Partition, int] = {}
        self._finished = FinishedOffsets() if settings.commits_finished else None
        self._trailing = TrailingOffsets(settings.commit_delay_s, replicated=settings.redis_wait_replicas > 0)
        self._offsets: Offsets = self._finished or self._trailing
        self._backpressure = Backpressure(settings.backlog_limit, settings.memory_limit_share)
        self._queue = RecordQueue(settings.kafka_batch_size)
        self._kafka = Outage(events.KAFKA_OUTAGE, stop)
        self._health = IngestHealth(settings.liveness_s, self._kafka)
        self._limits = make_limits(settings, self._mapping, access)
        self._writer = LedgerWriter(
            queue=self._queue,
            preparer=make_preparer(settings, self._mapping, access, self._limits),
            ledger=self._ledger,
            publish=self._publisher.publish,
            offsets=self._offsets,
            backpressure=self._backpressure,
            assignment_ids=self._assignment_ids,
            full=self._finished.full if self._finished else lambda _: (),
            periodic=self._periodic,
            limit_s=BATCH_TIMES * settings.liveness_s + WAIT_S,
        )

    def run(self) -> int:
        """Start, read, end; returns the exit code: 0 if told to stop, 1 if something broke that a restart may mend."""
        self._say_what_starts()
        try:
            self._read_until_stopped()
        except ConfigError:
            raise
        except Exception as error:
            log.event(events.INGEST_FAILED, error=type(error).__name__, at=place_of(error))
            return 1
        finally:
            self._stop.set()
            self._writer.stop(STORE_GRACE_S)
            if not self._writer.alive:
                # Else it waits for a Redis that does not answer and still uses them; they end with the process.
                self._publisher.close()
                self._mapping.close()
            log.event(events.INGEST_STOPPED)
        return 0

    def _periodic(self) -> None:
        self._limits.sync()
        if self._finished is not None:
            self._finished.look(self._ledger.unfinished)

    def _say_what_starts(self) -> None:
        settings = self._settings
        topics = (settings.runs_topic, settings.change_log_topic)
        reset = settings.kafka_consumer_auto_offset_reset
        log.event(
            events.INGEST_STARTED,
            topics=" ".join(topics),
            group=settings.kafka_consumer_group_id,
            offset_reset=reset,
            commits="finished" if self._finished else "trailing",
        )
        if reset in ("largest", "latest"):
            log.event(
                events.INGEST_OLDER_RECORDS_SKIPPED,
                group=settings.kafka_consumer_group_id,
                means="a group without commits ignores what was published before its first assignment",
                remedy="set KAFKA_CONSUMER_AUTO_OFFSET_RESET=earliest to read it",
            )
        for warning in self._mapping.warnings:
            log.event(events.MAPPING_LINT_WARNED, problem=warning)

    def _read_until_stopped(self) -> None:
        self._writer.start()
        if self._settings.redis_wait_replicas and self._finished is None:
            Replicas(self._ledger, self._settings.redis_wait_replicas, self._trailing).start()
        announced = in_background("announce", lambda: credentials.announce(self._port))
        while not self._writer.ready.wait(LOOK_S):
            self._health.polls.turn()
            if self._stop.is_set():
                return
        access = credentials.from_settings(self._settings)
        if access is None and self._done(announced):
            access = self._done(in_background("kafka-credentials", self._ask_port))
        while access is not None:
            access = self._read(access)

    def _done(self, future: "Future[Any]") -> Any:
        """The result of `future`; None if the end comes first. What is still under way ends with the process."""
        while not self._stop.is_set():
            self._health.polls.turn()
            try:
                return future.result(LOOK_S)
            except NotDone:
                continue
        return None

    def _ask_port(self) -> KafkaAccess | None:
        return credentials.from_port(self._port, self._stop)

    def _read(self, access: KafkaAccess) -> KafkaAccess | None:
        """Read with one consumer; returns the access for the next one, None at the end."""
        reader = KafkaReader(
            lambda on_error, on_commit: consumer_options.consumer_options(self._settings, access, on_error, on_commit),
            [self._settings.runs_topic, self._settings.change_log_topic],
            self._assignment_ids,
            on_lost=self._on_lost,
            committed=self._offsets.committed,
            outage=self._kafka,
        )
        self._health.reads_with(reader)
        resolver = StartOffsetResolver(self._ledger, self._settings.kafka_consumer_auto_offset_reset)
        brokers = Periodic("brokers", BROKERS_S, lambda: self._tell_workers(access))
        brokers.start()
        refresher = CredentialRefresher(access, None if self._settings.using_local_port_instance else self._ask_port)
        batch = self._settings.kafka_batch_size
        try:
            loop = PollLoop(
                reader,
                self._queue,
                self._writer,
                self._backpressure,
                self._offsets,
                resolver,
                refresher,
                batch,
                self._health,
            )
            return loop.run(self._stop)
        finally:
            brokers.stop(0)
            try:
                in_background("leave-group", reader.close).result(CLOSE_GRACE_S)
            except NotDone:
                log.event(events.KAFKA_CLOSE_TIMED_OUT)

    def _tell_workers(self, access: KafkaAccess) -> None:
        """Workers let no webhook go to the brokers, and only ingest learns from Port which those are."""
        Brokers(self._ledger).remember(access.brokers)

    def _on_lost(self, places: Collection[Partition]) -> None:
        self._queue.drop(places)
        for place in places:
            self._offsets.on_revoked(place)

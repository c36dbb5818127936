"""One consumer from its making to its leaving of the group, with what lives as long as it does."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotDone

from config.settings import Settings
from ingest.background import in_background
from ingest.ingest_health import IngestHealth
from ingest.kafka import consumer_options
from ingest.kafka.certificate_files import CertificateFiles
from ingest.kafka.consumer import KafkaReader
from ingest.kafka.credential_refresher import CredentialRefresher
from ingest.kafka.credentials import KafkaAccess
from ingest.kafka.group_health import GroupHealth
from ingest.kafka.poll_loop import PollLoop
from ingest.kafka.shared_state import SharedState
from ingest.kafka.start_resolver import StartOffsetResolver
from ingest.outage import Outage
from longshore.ledger.kafka_addresses import KafkaAddresses
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic

log = EventLog(__name__)

CLOSE_GRACE_S = 0.4
"""How long leaving the consumer group may take; a broker that does not answer finds out by itself."""
BROKERS_S = 30.0
"""How often the ledger is told of the brokers: it may be another one by now."""


class ConsumerSessions:
    """Makes consumers, one after the other, and polls with each."""

    def __init__(
        self, settings: Settings, ledger: Ledger, state: SharedState, health: IngestHealth, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._state = state
        self._health = health
        self._stop = stop
        self._outage = Outage(events.KAFKA_OUTAGE, stop)
        self._group_health = GroupHealth(self._outage)

    def run(
        self,
        access: KafkaAccess,
        fetch: Callable[[], KafkaAccess | None] | None,
        pause_cause: Callable[[], str],
    ) -> KafkaAccess | None:
        """Poll with one consumer; returns the access for the next one, None at the end.

        `fetch` asks Port for other credentials; None where they come from the settings. See `Source.run`.
        """
        settings = self._settings
        reader = KafkaReader(
            lambda on_error, on_commit: consumer_options.consumer_options(settings, access, on_error, on_commit),
            [settings.runs_topic, settings.change_log_topic],
            self._state.positions.assignment_ids,
            on_lost=self._state.on_lost,
            on_committed=self._state.offsets.on_committed,
            outage=self._outage,
        )
        self._group_health.use(reader)
        loop = PollLoop(
            reader,
            self._state,
            resolver=StartOffsetResolver(self._ledger, settings.kafka_consumer_auto_offset_reset),
            refresher=CredentialRefresher(
                access, fetch, read_certificate_version=CertificateFiles(settings, os.environ).read_version
            ),
            batch=settings.kafka_batch_size,
            pause_cause=pause_cause,
            health=self._health,
            group_health=self._group_health,
        )
        brokers = Periodic("brokers", BROKERS_S, lambda: self._share_brokers(access))
        brokers.start()
        try:
            return loop.run(self._stop)
        finally:
            brokers.stop(0)
            try:
                in_background("leave-group", reader.close).result(CLOSE_GRACE_S)
            except NotDone:
                log.event(events.KAFKA_CLOSE_TIMED_OUT)

    def _share_brokers(self, access: KafkaAccess) -> None:
        """Workers let no webhook go to the brokers, and only ingest learns from Port which those are."""
        KafkaAddresses(self._ledger).write(access.brokers)

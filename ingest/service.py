"""The ingest process: starts in the order of the wire contract, reads until it is asked to stop, and ends quickly.

Waits for whatever is away (Redis, Port, Kafka) and says so, once. Ends within a second of SIGTERM or SIGINT in every
phase: what it has in hand is not confirmed, so the source hands it out again, and nothing needs to be saved.
"""

import signal
import threading
from types import FrameType

from config.mapping_file import MappingFile
from config.settings import Settings
from ingest.backpressure import Backpressure
from ingest.ingest_health import WAIT_S, IngestHealth
from ingest.ledger_writer import LedgerWriter
from ingest.source import SourceLost
from ingest.wiring import make_current_preparer, make_source, source_name
from longshore.errors import ConfigError, place_of
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.ledger_access import open_ledger
from longshore.runtime.heap import freeze_heap
from longshore.runtime.mapping_watch import MappingWatch
from longshore.telemetry.port_calls import CountedPortClient
from tasks.celery.app import make_app
from tasks.celery.publish import Publisher

log = EventLog(__name__)

STORE_GRACE_S = 0.5
"""How long a batch that is being stored gets at the end; what is not stored stays unconfirmed."""
TURN_S = 0.1
"""Between two heartbeats while the ledger is waited for."""
BATCH_LIVENESS_FACTOR = 5
"""How many times LIVENESS_S a batch may take, where each message keeps the mapping engine busy up to its time limit."""

REDIS_CONNECTIONS = 4


def run(settings: Settings) -> int:
    """Run ingest in the foreground until SIGTERM or SIGINT; returns the exit code.

    Raises `ConfigError` for what no restart mends: an invalid mapping file, an option that librdkafka refuses.
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
        """Raises `ConfigError`, see `run`."""
        self._stop = stop
        self._mappings = MappingFile(settings)
        self._mapping_watch = MappingWatch(self._mappings)
        self._publisher = Publisher(make_app(settings))
        access = open_ledger(settings, REDIS_CONNECTIONS)
        self._ledger = access.ledger
        self._health = IngestHealth(settings.liveness_s, source_name(settings))
        self._port = CountedPortClient(
            settings.port_api_base_url, settings.port_client_id, settings.port_client_secret, tls=settings.port_tls
        )
        self._source = make_source(settings, access, self._port, self._health, self._publisher.publish, stop)
        preparer = make_current_preparer(settings, self._mappings, access)
        self._writer = LedgerWriter(
            self._source,
            preparer,
            access.ledger,
            self._publisher.publish,
            Backpressure(settings.backlog_limit, settings.redis_memory_limit_ratio),
            periodic=preparer.sync_limits,
            limit_s=BATCH_LIVENESS_FACTOR * settings.liveness_s + WAIT_S,
        )

    def run(self) -> int:
        """Start, read, end; returns the exit code: 0 if asked to stop, 1 if something broke that a restart may mend."""
        self._source.start()
        self._mapping_watch.start()
        try:
            self._read_until_stopped()
        except ConfigError:
            raise
        except SourceLost as error:
            log.event(events.INGEST_GIVEN_UP, problem=str(error)[:300])
            return 1
        except Exception as error:
            log.event(events.INGEST_FAILED, error=type(error).__name__, at=place_of(error))
            return 1
        finally:
            self._stop.set()
            self._mapping_watch.stop()
            self._writer.stop(STORE_GRACE_S)
            self._port.close()
            if not self._writer.alive:
                # Otherwise it waits for a Redis that does not answer and still uses them; they end with the process.
                self._publisher.close()
                self._mappings.close()
                self._ledger.close()
            log.event(events.INGEST_STOPPED)
        return 0

    def _read_until_stopped(self) -> None:
        self._writer.start()
        while not self._writer.ready.wait(TURN_S):
            self._health.turn()
            if self._stop.is_set():
                return
        freeze_heap()
        self._source.run(self._writer.pause_cause)

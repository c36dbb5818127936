"""Port's polling API as a source: claim, store as held, acknowledge, and only then deliver.

Three threads: the service's claims (`claim_loop`), the ledger writer stores, a third acknowledges (`ack_loop`). What
binds them is in the ledger: a run is held there from before Port hears that we take it until Port has answered, and
each of the three may die at any point. `confirm` therefore has nothing to tell Port; it only ends the wait of the
first.
"""

import threading
import time
from collections.abc import Callable, Sequence

from config.settings import Settings
from ingest.announcement import announce_streamer
from ingest.background import TURN_S, in_background, wait_for
from ingest.ingest_health import IngestHealth
from ingest.polling.ack_loop import AckLoop
from ingest.polling.backoff import PollBackoff
from ingest.polling.claim_loop import ClaimLoop
from ingest.polling.client import PollingClient
from ingest.polling.record import ClaimedRun
from ingest.polling.run_queue import RunQueue
from ingest.source import Source
from longshore.ledger.entry import Accepted, Claim
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.ledger_access import LedgerAccess
from longshore.port import PortClient
from longshore.telemetry.health import PROCESS_HEALTH

log = EventLog(__name__)

REPLICAS_TIMEOUT_MS = 1_000


class PollingSource(Source[ClaimedRun]):
    """Runs claimed from Port. See `Source`."""

    def __init__(
        self,
        settings: Settings,
        access: LedgerAccess,
        port: PortClient,
        health: IngestHealth,
        publish: Callable[[Sequence[Claim], int], None],
        stop: threading.Event,
    ) -> None:
        """`publish` gets what may start once Port has acknowledged it, and the fleet's size. `stop` ends `run`."""
        self._settings = settings
        self._ledger = access.ledger
        self._port = port
        self._health = health
        self._stop = stop
        self._queue = RunQueue()
        client = PollingClient(port)
        backoff = PollBackoff(settings)
        PROCESS_HEALTH.ready_if("polling", backoff.check)
        self._acks = AckLoop(access.acknowledgements, client, publish, self._is_replicated)
        self._claims = ClaimLoop(
            client,
            self._queue,
            access.acknowledgements.room,
            backoff,
            health,
            stop,
            batch=settings.polling_runs_batch_size,
            sleep=self._sleep,
            interval_s=settings.polling_interval_seconds,
        )

    def start(self) -> None:
        """See `Source`. Tells Port that runs are polled, before anything else is asked of it."""
        log.event(
            events.INGEST_STARTED,
            interval_s=self._settings.polling_interval_seconds,
            batch=self._settings.polling_runs_batch_size,
        )
        self._announcement = in_background(
            "announce", lambda: announce_streamer(self._port, self._settings.streamer_name)
        )

    def run(self, pause_cause: Callable[[], str]) -> None:
        """See `Source`."""
        if wait_for(self._announcement, self._stop, self._health.turn):
            self._acks.start()
            self._claims.run(pause_cause)

    def close(self) -> None:
        """See `Source`."""
        self._acks.stop()
        self._queue.close()

    def take(self, timeout_s: float) -> Sequence[ClaimedRun]:
        """See `Source`."""
        return self._queue.take(timeout_s)

    def confirm(self, records: Sequence[ClaimedRun], accepted: Accepted) -> bool:
        """See `Source`. They are held; what Port hears of them follows from that."""
        self._queue.note_stored(len(records))
        return True

    def _is_replicated(self) -> bool:
        replicas = self._settings.redis_wait_replicas
        return not replicas or self._ledger.is_replicated(replicas, REPLICAS_TIMEOUT_MS)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0 and not self._stop.wait(min(left_s, TURN_S)):
            self._health.turn()

"""The thread that claims runs: one claim of each kind a round, no more than can start soon, then a pause.

What is claimed is nobody else's for a while, and ours for good only once it is acknowledged, which is the business of
`ack_loop`. So this thread hands over and waits until the ledger has it; it makes no promise to Port. A crash anywhere
in it leaves claims that lapse, and Port gives the runs out again.
"""

import threading
import time
from collections.abc import Callable
from functools import partial

from ingest.background import T, in_background, wait_for
from ingest.ingest_health import IngestHealth
from ingest.outage import Outage
from ingest.polling.backoff import PollBackoff
from ingest.polling.client import APIS, PollingClient, RunApi
from ingest.polling.record import make_record
from ingest.polling.run_queue import RunQueue
from longshore.errors import LongshoreError, PortUnavailable, StoreUnavailable
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.telemetry import metrics

log = EventLog(__name__)

ROOM_S = 0.25
"""Between two looks for free slots, or for the end of a pause."""


class ClaimLoop:
    """Claims for one process; several may claim beside each other, as Port gives a run to one of them."""

    def __init__(
        self,
        client: PollingClient,
        queue: RunQueue,
        room: Callable[[], int],
        backoff: PollBackoff,
        health: IngestHealth,
        stop: threading.Event,
        *,
        batch: int,
        sleep: Callable[[float], None],
        interval_s: float,
    ) -> None:
        """At most `batch` runs are claimed at once, and not more than `room` says could start soon.

        `sleep` waits so many seconds, or until `stop`. `room` raises `StoreUnavailable` when Redis is away.
        """
        self._client = client
        self._queue = queue
        self._room = room
        self._backoff = backoff
        self._health = health
        self._stop = stop
        self._batch = batch
        self._apis: tuple[RunApi, ...] = APIS
        self._limits = dict.fromkeys((api.kind for api in APIS), batch)
        self._sleep = sleep
        self._interval_s = interval_s
        self._outage = Outage(events.POLLING_OUTAGE, stop)

    def run(self, pause_cause: Callable[[], str]) -> None:
        """Claim until `stop`; nothing while `pause_cause` names one. Raises `SourceLost`."""
        while not self._stop.is_set():
            cause = pause_cause() or self._find_room()[1]
            self._health.set_pause_cause(cause)
            self._health.turn()
            self._sleep(ROOM_S if cause else self._poll())

    def _poll(self) -> float:
        """One round. Returns how long to wait before the next."""
        is_full, problems, wait_s = False, list[str](), 0.0
        for api in self._apis:
            try:
                is_full |= self._claim(api)
            except PortUnavailable as error:
                # An answer that is too large or too slow is one we can ask less of.
                self._limits[api.kind] = max(1, self._limits[api.kind] // 2)
                wait_s = max(wait_s, error.retry_after_s or 0)
                problems.append(str(error))
            except LongshoreError as error:
                problems.append(str(error))
        if self._stop.is_set():
            return 0
        if problems:
            self._outage.begin(problems[0])
            log.event(events.POLLING_OUTAGE.continued, problem=problems[0][:300])
            return max(wait_s, self._backoff.note_failure(problems[0]))
        self._outage.end()
        self._backoff.note_success()
        return 0 if is_full else self._interval_s

    def _claim(self, api: RunApi) -> bool:
        """Claim once, and wait until the ledger has what came. Returns whether there may be more at once."""
        limit = min(self._find_room()[0], self._limits[api.kind])
        if limit <= 0:
            # The other kind has taken what was free. As soon as there is room, this one comes first.
            self._apis = (api, *(each for each in APIS if each is not api))
            return True
        runs = self._ask("claim", partial(self._client.claim, api, limit)) or []
        self._limits[api.kind] = min(self._batch, 2 * self._limits[api.kind])
        metrics.CLAIMED.labels(api.kind.value).inc(len(runs))
        now_ms = round(time.time() * 1000)
        records = [record for run in runs if (record := make_record(api.stream, run, now_ms))]
        if len(records) < len(runs):
            log.event(events.POLLING_IDS_MISSED, kind=api.kind.value, count=len(runs) - len(records))
        self._queue.put(records)
        while not self._queue.is_stored(ROOM_S) and not self._stop.is_set():
            self._health.turn()
        return len(runs) >= limit

    def _find_room(self) -> tuple[int, str]:
        """How many runs could start soon, and why none can: `slots`, `redis`, or empty."""
        try:
            room = self._ask("room", self._room) or 0
        except StoreUnavailable:
            return 0, "redis"
        return room, "" if room > 0 else "slots"

    def _ask(self, name: str, work: Callable[[], T]) -> T | None:
        return wait_for(in_background(name, work), self._stop, self._health.turn)

"""The thread that polls Kafka: reads while there is room; between reads it commits, pauses, seeks, renews its login.

Nothing in it waits for Redis, Port or a long batch, so it always polls again within a second or so and the group never
misses this member (`max.poll.interval.ms` is 5 minutes).
"""

import threading
import time
from collections.abc import Callable
from queue import Empty

from ingest.ingest_health import IngestHealth
from ingest.kafka.consumer import KafkaReader
from ingest.kafka.credential_refresher import CredentialRefresher
from ingest.kafka.credentials import KafkaAccess
from ingest.kafka.group_health import GroupHealth
from ingest.kafka.read_positions import RereadRequest
from ingest.kafka.shared_state import SharedState
from ingest.kafka.start_resolver import StartOffsetResolver
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

POLL_S = 0.2
"""How long one poll waits for a message; one that comes is returned at once. Also how late SIGTERM is noticed."""
RESOLVE_S = 0.01
"""The same between two questions about where to begin, which are short."""
ROOM_S = 0.05
"""How long one turn waits for room. Pausing at once would throw away what librdkafka has fetched ahead."""
STALL_S = 0.5
"""When nothing was stored for so long although all is full, the partitions are paused and polling goes on."""
TIDY_S = 0.5
"""How often commits are made and brokers that were away are looked for."""


class PollLoop:
    """Polls for one consumer."""

    def __init__(
        self,
        reader: KafkaReader,
        state: SharedState,
        *,
        resolver: StartOffsetResolver,
        refresher: CredentialRefresher,
        batch: int,
        pause_cause: Callable[[], str],
        health: IngestHealth,
        group_health: GroupHealth,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """At most `batch` records are read at once, and none while `pause_cause` names one."""
        self._reader = reader
        self._state = state
        self._queue = state.queue
        self._resolver = resolver
        self._refresher = refresher
        self._batch = batch
        self._pause_cause = pause_cause
        self._health = health
        self._group_health = group_health
        self._clock = clock
        self._full_since: float | None = None
        self._tidied_at = 0.0

    def run(self, stop: threading.Event) -> KafkaAccess | None:
        """Poll until `stop`; returns None then, and earlier the access for a new consumer where one is needed."""
        while not stop.is_set():
            self._turn()
            if self._clock() - self._tidied_at >= TIDY_S:
                self._tidied_at = self._clock()
                self._tidy()
                if (access := self._refresher.refresh(self._reader)) is not None:
                    return access
        return None

    def _turn(self) -> None:
        if self._reader.unpositioned:
            self._start()
        has_room = self._queue.has_room(0 if self._reader.is_paused else ROOM_S)
        if has_room:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = self._clock()
        cause = self._pause_cause() or ("stall" if self._is_stalled() else "")
        self._reader.pause(bool(cause))
        self._reader.hold(self._queue.on_hold)
        self._health.set_pause_cause(cause)
        self._health.turn()
        if has_room or self._reader.is_paused:
            records = self._reader.read(self._batch, self._poll_s())
            if records:
                self._queue.put(records)

    def _poll_s(self) -> float:
        return RESOLVE_S if self._reader.unpositioned and self._resolver.is_asking else POLL_S

    def _is_stalled(self) -> bool:
        return self._full_since is not None and self._clock() - self._full_since > STALL_S

    def _tidy(self) -> None:
        self._reread()
        commits = self._state.offsets.committable(self._reader.assignment_ids)
        if commits:
            self._reader.commit(commits)
        self._reader.probe_brokers()
        self._reader.detect_stall()
        self._group_health.measure_lags()

    def _reread(self) -> None:
        """Go back to what the ledger has lost. A seek that is not possible now, as in a rebalance, is tried again."""
        rereads = self._state.positions.rereads
        failed: list[RereadRequest] = []
        while True:
            try:
                request = rereads.get_nowait()
            except Empty:
                break
            is_current = self._reader.assignment_ids.get(request.partition) == request.assignment_id
            if is_current and not self._seek(request):
                failed.append(request)
        for request in failed:
            rereads.put(request)

    def _seek(self, request: RereadRequest) -> bool:
        partition = request.partition
        start = self._state.offsets.restart_at(partition, request.start, request.ledger, request.next_offset)
        assignment_id = self._reader.seek(partition, start.offset)
        if assignment_id is None:
            return False
        self._state.on_assigned(partition, assignment_id, start)
        log.event(
            events.LEDGER_REREAD,
            topic=partition[0],
            partition=partition[1],
            offset=start.offset,
            remedy="none needed" if request.ledger == request.start.ledger else events.LEDGER_REPLACED.remedy,
        )
        return True

    def _start(self) -> None:
        """Begin to read what was assigned, once it is known from where."""
        starts = self._resolver.resolve(self._reader) or {}
        for partition, start in starts.items():
            self._state.on_assigned(partition, self._reader.assignment_ids[partition], start)
        if starts:
            self._reader.start_at({partition: start.offset for partition, start in starts.items()})

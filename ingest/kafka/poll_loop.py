"""The thread that polls Kafka: reads while there is room, and between reads commits, pauses, seeks and logs in anew.

Nothing in it waits for Redis, Port or a long batch, so it always polls again within a second or so and the group never
misses this member (`max.poll.interval.ms` is 5 minutes).
"""

import threading
import time
from collections.abc import Callable
from queue import Empty

from ingest.backpressure import Backpressure
from ingest.ingest_health import IngestHealth
from ingest.kafka.consumer import KafkaReader
from ingest.kafka.credential_refresher import CredentialRefresher
from ingest.kafka.credentials import KafkaAccess
from ingest.kafka.offsets import Offsets
from ingest.kafka.record_queue import RecordQueue
from ingest.kafka.start_resolver import StartOffsetResolver, Starts
from ingest.ledger_writer import LedgerWriter, RereadRequest
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

POLL_S = 0.2
"""How long one poll waits for a message; one that comes is returned at once. Also how late SIGTERM is noticed."""
PLACING_S = 0.01
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
        queue: RecordQueue,
        writer: LedgerWriter,
        backpressure: Backpressure,
        offsets: Offsets,
        resolver: StartOffsetResolver,
        refresher: CredentialRefresher,
        batch: int,
        health: IngestHealth,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._queue = queue
        self._writer = writer
        self._backpressure = backpressure
        self._offsets = offsets
        self._resolver = resolver
        self._refresher = refresher
        self._batch = batch
        self._health = health
        self._clock = clock
        self._full_since: float | None = None
        self._tidied_at = 0.0

    def run(self, stop: threading.Event) -> KafkaAccess | None:
        """Poll until `stop`. Returns None then; else the access for a new consumer, where this one will not do."""
        while not stop.is_set():
            self._turn()
            if self._clock() - self._tidied_at >= TIDY_S:
                self._tidied_at = self._clock()
                self._tidy()
                if (access := self._refresher.look(self._reader)) is not None:
                    return access
        return None

    def _turn(self) -> None:
        if self._reader.unpositioned:
            self._place(self._resolver.look(self._reader) or {})
        has_room = self._queue.has_room(0 if self._reader.paused else ROOM_S)
        if has_room:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = self._clock()
        cause = self._backpressure.cause or ("redis" if self._writer.outage.is_on else "")
        cause = cause or ("stall" if self._is_stalled() else "")
        self._reader.pause(bool(cause))
        self._reader.hold(self._queue.held)
        self._health.paused(cause)
        self._health.polls.turn()
        if has_room or self._reader.paused:
            records = self._reader.read(self._batch, self._poll_s())
            if records:
                self._queue.put(records)

    def _poll_s(self) -> float:
        return PLACING_S if self._reader.unpositioned and self._resolver.is_asking else POLL_S

    def _is_stalled(self) -> bool:
        return self._full_since is not None and self._clock() - self._full_since > STALL_S

    def _tidy(self) -> None:
        self._reread()
        ripe = self._offsets.committable(self._reader.assignment_ids)
        if ripe:
            self._reader.commit(ripe)
        self._reader.probe_brokers()
        self._reader.detect_stall()
        self._health.look_at_lag()

    def _reread(self) -> None:
        later: list[RereadRequest] = []
        while True:
            try:
                again = self._writer.rereads.get_nowait()
            except Empty:
                break
            if self._reader.assignment_ids.get(again.place) == again.assignment_id and not self._seek(again):
                later.append(again)
        for again in later:
            self._writer.rereads.put(again)

    def _seek(self, again: RereadRequest) -> bool:
        start = self._offsets.restart_at(again.place, again.start, again.ledger, again.next_offset)
        assignment_id = self._reader.seek(again.place, start.offset)
        if assignment_id is None:
            return False
        self._offsets.on_assigned(again.place, assignment_id, start)
        self._writer.placed(again.place, assignment_id, start)
        log.event(
            events.LEDGER_REREAD,
            topic=again.place[0],
            partition=again.place[1],
            offset=start.offset,
            remedy="none needed" if again.ledger == again.start.ledger else events.LEDGER_REPLACED.remedy,
        )
        return True

    def _place(self, starts: Starts) -> None:
        for place, start in starts.items():
            assignment_id = self._reader.assignment_ids[place]
            self._offsets.on_assigned(place, assignment_id, start)
            self._writer.placed(place, assignment_id, start)
        if starts:
            self._reader.start_at({place: start.offset for place, start in starts.items()})

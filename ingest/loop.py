"""The thread that polls Kafka: reads while there is room, and between reads commits, pauses, seeks and logs in anew.

Nothing in it waits for Redis, Port or a long batch, so it always polls again within a second or so and the group never
misses this member (`max.poll.interval.ms` is 5 minutes).
"""

import threading
import time
from collections.abc import Callable
from queue import Empty

import structlog

from ingest.backlog import Gate
from ingest.consumer import Reader
from ingest.credentials import Access
from ingest.handover import Handover
from ingest.login import Login
from ingest.offsets import Offsets
from ingest.pipeline import Pipeline, Reread
from ingest.placing import Placing, Starts
from ingest.signs import Signs
from ingest.start import REMEDIES

log = structlog.get_logger(__name__)

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


class Loop:
    """Polls for one consumer."""

    def __init__(
        self,
        reader: Reader,
        handover: Handover,
        pipeline: Pipeline,
        gate: Gate,
        offsets: Offsets,
        placing: Placing,
        login: Login,
        batch: int,
        signs: Signs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._handover = handover
        self._pipeline = pipeline
        self._gate = gate
        self._offsets = offsets
        self._placing = placing
        self._login = login
        self._batch = batch
        self._signs = signs
        self._clock = clock
        self._full_since: float | None = None
        self._tidied_at = 0.0

    def run(self, stop: threading.Event) -> Access | None:
        """Poll until `stop`. Returns None then; else the access for a new consumer, where this one will not do."""
        while not stop.is_set():
            self._turn()
            if self._clock() - self._tidied_at >= TIDY_S:
                self._tidied_at = self._clock()
                self._tidy()
                if (access := self._login.look(self._reader)) is not None:
                    return access
        return None

    def _turn(self) -> None:
        if self._reader.unplaced:
            self._place(self._placing.look(self._reader) or {})
        has_room = self._handover.has_room(0 if self._reader.paused else ROOM_S)
        if has_room:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = self._clock()
        cause = self._gate.cause or ("redis" if self._pipeline.outage.is_on else "stall" if self._is_stalled() else "")
        self._reader.pause(bool(cause))
        self._reader.hold(self._handover.held)
        self._signs.paused(cause)
        self._signs.polls.turn()
        if has_room or self._reader.paused:
            records = self._reader.read(self._batch, self._poll_s())
            if records:
                self._handover.put(records)

    def _poll_s(self) -> float:
        return PLACING_S if self._reader.unplaced and self._placing.is_asking else POLL_S

    def _is_stalled(self) -> bool:
        return self._full_since is not None and self._clock() - self._full_since > STALL_S

    def _tidy(self) -> None:
        self._reread()
        ripe = self._offsets.ripe(self._reader.epochs)
        if ripe:
            self._reader.commit(ripe)
        self._reader.look_for_brokers()
        self._reader.notice_silence()
        self._signs.look_at_lag()

    def _reread(self) -> None:
        later: list[Reread] = []
        while True:
            try:
                again = self._pipeline.rereads.get_nowait()
            except Empty:
                break
            if self._reader.epochs.get(again.place) == again.epoch and not self._seek(again):
                later.append(again)
        for again in later:
            self._pipeline.rereads.put(again)

    def _seek(self, again: Reread) -> bool:
        start = self._offsets.again(again.place, again.start, again.ledger, again.next_offset)
        epoch = self._reader.seek(again.place, start.offset)
        if epoch is None:
            return False
        self._offsets.began(again.place, epoch, start)
        self._pipeline.placed(again.place, epoch, start)
        log.warning(
            "intake.reading_again",
            topic=again.place[0],
            partition=again.place[1],
            offset=start.offset,
            remedy="none needed" if again.ledger == again.start.ledger else REMEDIES["ledger_replaced"],
        )
        return True

    def _place(self, starts: Starts) -> None:
        for place, start in starts.items():
            epoch = self._reader.epochs[place]
            self._offsets.began(place, epoch, start)
            self._pipeline.placed(place, epoch, start)
        if starts:
            self._reader.place({place: start.offset for place, start in starts.items()})

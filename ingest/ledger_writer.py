"""The thread that fills the ledger: takes what was read, prepares it, has it stored, publishes what may start at once.

It stands beside the thread that polls Kafka, so that neither a slow Redis nor a long batch keeps the consumer from its
group. While Redis is away it tries again, for ever, with the same batch: nothing is skipped and nothing is committed.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Literal

from ingest.backpressure import Backpressure
from ingest.batch_preparer import BatchPreparer, PreparedBatch
from ingest.ingest_health import count_stored
from ingest.kafka.offset_set import OffsetSet
from ingest.kafka.offsets import Offsets
from ingest.kafka.record import Partition, Record
from ingest.kafka.record_queue import RecordQueue
from ingest.kafka.start_position import StartPosition
from ingest.outage import Outage
from longshore.errors import StoreUnavailable, place_of
from longshore.invocation.mapping import JqUnavailable
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import LIMIT_S, Periodic
from longshore.store.entry import Accepted, Claim, Span
from longshore.store.ledger import MOST_CLAIMS, Ledger

log = EventLog(__name__)

LOOK_S = 1.0
"""How often Redis's memory is asked for, and the backlog while intake is paused."""

PERIODIC_S = 0.3
"""How often what is finished is asked for, where commits depend on it."""

REFUSALS = 5
"""How often a single message may fail in the ledger's own scripts before it is kept without its payload."""


@dataclass(frozen=True, slots=True)
class RereadRequest:
    """The ledger has lost what was read of a partition; nothing of it is stored before it is read again."""

    place: Partition
    assignment_id: int
    """Under which it was read. Under another one, the matter has settled itself."""
    start: StartPosition
    """Under which it was begun to be read."""
    ledger: str
    """Name of the ledger as it is now."""
    next_offset: int | None
    """Where it stands; None if it knows nothing of the partition."""


class LedgerWriter:
    """Fills the ledger from `queue` in a thread of its own."""

    def __init__(
        self,
        queue: RecordQueue,
        preparer: BatchPreparer,
        ledger: Ledger,
        publish: Callable[[Sequence[Claim]], None],
        offsets: Offsets,
        backpressure: Backpressure,
        assignment_ids: Mapping[Partition, int],
        full: Callable[[Sequence[Record]], Collection[Partition]] = lambda _: (),
        periodic: Callable[[], None] = lambda: None,
        limit_s: float = LIMIT_S,
    ) -> None:
        """`assignment_ids` has the present one of each partition that is ours; another thread keeps it up to date.

        `full` says which partitions of records may not be stored now. `periodic` is called a few times a second; it may
        raise `StoreUnavailable`. One try to store may take `limit_s`.
        """
        self._queue = queue
        self._preparer = preparer
        self._ledger = ledger
        self._publish = publish
        self._offsets = offsets
        self._backpressure = backpressure
        self._assignment_ids = assignment_ids
        self._full = full
        self._periodic = periodic
        self._placed: SimpleQueue[tuple[Partition, int, StartPosition]] = SimpleQueue()
        self._to_open: dict[Partition, tuple[int, StartPosition]] = {}
        self._starts: dict[Partition, tuple[int, StartPosition]] = {}
        self._expected: dict[Partition, tuple[int, int]] = {}
        self._rewound: dict[Partition, int] = {}
        self._checked_at = self._periodic_at = 0.0
        self._at_hand: Sequence[Record] | None = None
        self._loop = Periodic("accept", 0, self._step, limit_s=limit_s)
        self._on_turn = self._loop.turn
        self._stopping = self._loop.stopping
        self.outage = Outage(events.REDIS_OUTAGE, self._stopping)
        self.rereads: SimpleQueue[RereadRequest] = SimpleQueue()
        """What must be read again; for the thread that polls."""
        self.ready = threading.Event()
        """Set once the ledger has answered."""

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self, grace_s: float) -> None:
        """Finish the batch at hand, for at most `grace_s`; what is not stored by then is not committed either."""
        self._loop.stop(0)
        self._queue.close()
        self._loop.stop(grace_s)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._loop.alive

    def placed(self, place: Partition, assignment_id: int, start: StartPosition) -> None:
        """`place` is read under this new assignment, beginning there. To be called before any of it is handed over."""
        self._placed.put((place, assignment_id, start))

    def _step(self) -> None:
        """One batch. Whatever goes wrong with it, it is kept and tried again: nothing behind it is stored before."""
        if not self.ready.is_set():
            self._try_ledger()
            return
        if self._at_hand is None:
            self._at_hand = self._queue.take(PERIODIC_S if self._queue.held else LOOK_S)
        if self._stopping.is_set():
            return
        if self._at_hand:
            self._store(self._at_hand)
        self._at_hand = None
        self._check_ledger()
        self._run_periodic()

    def _try_ledger(self) -> None:
        try:
            self._publish(self._ledger.accept((), ()).claims)
        except StoreUnavailable as error:
            self.outage.wait(error)
        else:
            self.outage.over()
            self.ready.set()

    def _store(self, records: Sequence[Record]) -> None:
        """Store `records`, however long it takes; returns early only on `stop`."""
        prepared: PreparedBatch | None = None
        refusals = 0
        while not self._stopping.is_set():
            ours = self._hold_back([record for record in records if self._is_ours(record)])
            if len(ours) != len(records):
                records, prepared = ours, None
            self._on_turn()
            if not records:
                return
            try:
                self._open()
                if prepared is None:
                    prepared = self._preparer.prepare(records, self._known(), self._finished())
                accepted = self._ledger.accept(prepared.spans, prepared.entries)
            except (StoreUnavailable, JqUnavailable) as error:
                self.outage.wait(error)
            except Exception as error:
                refusals += 1
                if len(records) > 1:
                    # Is one message to blame? The halves tell, down to the single one.
                    self._store(records[: len(records) // 2])
                    self._store(records[len(records) // 2 :])
                    return
                prepared = self._refused(records[0], error, refusals)
            else:
                self.outage.over()
                if not accepted.rewinds:
                    self._stored(records, prepared, accepted)
                    return
                self._rewind(accepted)

    def _hold_back(self, records: Sequence[Record]) -> Sequence[Record]:
        """Of these records those that may be stored now; partitions that are full wait, and no other with them."""
        # A partition that waits already goes on waiting: what comes later must not be stored earlier.
        full = {record.topic_partition for record in records} & {*self._full(records), *self._queue.held}
        for place in full:
            self._queue.hold(place, [record for record in records if record.topic_partition == place])
            log.event(events.INGEST_PARTITION_HELD, topic=place[0], partition=place[1])
        # Should this batch have to be tried again, they are not in it any more.
        self._at_hand = [record for record in self._at_hand or () if record.topic_partition not in full]
        return [record for record in records if record.topic_partition not in full]

    def _let_go_on(self) -> None:
        for place, waiting in self._queue.held.items():
            if not self._full([record for record in waiting if self._is_ours(record)]):
                self._queue.release(place)
                log.event(events.INGEST_PARTITION_RELEASED, topic=place[0], partition=place[1])

    def _refused(self, record: Record, error: Exception, times: int) -> PreparedBatch | None:
        """The ledger answered, but with an error of its own. Returns what to try in place of the message."""
        if times == 1:
            log.event(events.INGEST_WRITE_REFUSED, origin=record.origin, error=type(error).__name__, at=place_of(error))
        self.outage.wait(type(error).__name__)
        return self._preparer.unstorable(record, self._known()) if times >= REFUSALS else None

    def _is_ours(self, record: Record) -> bool:
        """Whether it is still this consumer's to store: not revoked since, and not about to be read again."""
        present = self._assignment_ids.get(record.topic_partition)
        return present == record.assignment_id != self._rewound.get(record.topic_partition)

    def _known(self) -> dict[Partition, int]:
        present = self._assignment_ids
        return {place: known for place, (id, known) in self._expected.items() if present.get(place) == id}

    def _finished(self) -> dict[Partition, OffsetSet]:
        return {place: start.finished for place, (_, start) in self._starts.items() if start.finished}

    def _open(self) -> None:
        """Tell the ledger where partitions begin that were placed; raises `StoreUnavailable`."""
        while True:
            try:
                place, assignment_id, start = self._placed.get_nowait()
            except Empty:
                break
            self._to_open[place] = (assignment_id, start)
        self._to_open = {p: opened for p, opened in self._to_open.items() if self._assignment_ids.get(p) == opened[0]}
        if not self._to_open:
            return
        spans = []
        for place, (_, start) in self._to_open.items():
            first = start.offset - sum(start.skipped.values())
            way: Literal["read", "anew"] = "anew" if start.recreated else "read"
            spans.append(Span(*place, first=first, next=start.offset, skipped=start.skipped, way=way))
        self._ledger.accept(spans, (), 0)
        for place, (assignment_id, start) in self._to_open.items():
            self._starts[place] = (assignment_id, start)
            self._expected[place] = (assignment_id, max(start.offset, start.expected or 0))
        self._to_open = {}

    def _stored(self, records: Sequence[Record], prepared: PreparedBatch, accepted: Accepted) -> None:
        assignment_ids = {record.topic_partition: record.assignment_id for record in records}
        for span in prepared.spans:
            place = (span.topic, span.partition)
            self._expected[place] = (assignment_ids[place], max(span.next, self._known().get(place, 0)))
            self._offsets.stored(place, assignment_ids[place], span.next, accepted.ledger)
        self._publish(accepted.claims)
        self._backpressure.backlog(accepted.backlog)
        count_stored(prepared.spans, prepared.entries, accepted)
        for entry, result in zip(prepared.entries, accepted.results, strict=True):
            if result == "repeated_elsewhere":
                log.event(events.INGEST_ID_REPEATED, id=entry.id, origin=entry.origin)
        log.event(
            events.INGEST_BATCH_STORED,
            messages=len(records),
            entries=len(prepared.entries),
            claims=len(accepted.claims),
        )

    def _rewind(self, accepted: Accepted) -> None:
        """The ledger is behind what this consumer has read: it lost its end, or was replaced."""
        for rewind in accepted.rewinds:
            place = (rewind.topic, rewind.partition)
            known = self._known().get(place)
            assignment_id, start = self._starts.get(place, (0, StartPosition(0, "committed")))
            if known is None or self._assignment_ids.get(place) != assignment_id:
                continue
            log.event(
                events.LEDGER_ROLLED_BACK,
                topic=place[0],
                partition=place[1],
                ledger_next=rewind.next,
                read_up_to=known,
                same_ledger=accepted.ledger == start.ledger,
            )
            self._rewound[place] = assignment_id
            self._expected.pop(place, None)
            self.rereads.put(RereadRequest(place, assignment_id, start, accepted.ledger, rewind.next))

    def _check_ledger(self) -> None:
        """What no batch would tell while none comes: how full Redis is, how much waits, and whether it fell behind."""
        if time.monotonic() - self._checked_at < LOOK_S:
            return
        self._checked_at = time.monotonic()
        try:
            self._open()
            self._backpressure.memory(self._ledger.memory_share())
            spans = [Span(*place, first=known, next=known, expected=known) for place, known in self._known().items()]
            # While batches come, or nothing does, claims are the workers' own business.
            accepted = self._ledger.accept(spans, (), MOST_CLAIMS if self._backpressure.closed else 0)
            self._publish(accepted.claims)
            self._rewind(accepted)
            if not accepted.rewinds:
                self._backpressure.backlog(accepted.backlog)
        except StoreUnavailable:
            return  # the next batch finds out, and says so

    def _run_periodic(self) -> None:
        if time.monotonic() - self._periodic_at < PERIODIC_S:
            return
        self._periodic_at = time.monotonic()
        try:
            self._periodic()
        except StoreUnavailable:
            return
        self._let_go_on()

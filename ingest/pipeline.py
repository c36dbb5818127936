"""The thread that fills the ledger: takes what was read, prepares it, has it stored, publishes what may start at once.

It stands beside the thread that polls Kafka, so that neither a slow Redis nor a long batch keeps the consumer from its
group. While Redis is away it tries again, for ever, with the same batch: nothing is skipped and nothing is committed.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

import structlog

from ingest.backlog import Gate
from ingest.handover import Handover
from ingest.intake import Intake, Prepared
from ingest.offsets import TrailingOffsets
from ingest.outage import Outage
from ingest.record import Partition, Record
from longshore.errors import StoreUnavailable
from longshore.invocation.mapping import JqUnavailable
from longshore.store.entry import Accepted, Claim, Rewind
from longshore.store.ledger import Ledger

log = structlog.get_logger(__name__)

LOOK_S = 1.0
"""How often Redis's memory is asked for, and the backlog while intake is paused."""

REFUSALS = 5
"""How often a single message may fail in the ledger's own scripts before it is kept without its payload."""


@dataclass(frozen=True, slots=True)
class Reread:
    """The ledger has lost what was read of a partition; nothing of it is stored before it is read again."""

    place: Partition
    epoch: int
    """Under which it was read. Under another one, the matter has settled itself."""
    next_offset: int | None
    """Where the ledger stands; None if it knows nothing of the partition any more."""
    began: int
    """The first offset read under this epoch."""


class Pipeline:
    """Fills the ledger from `handover` in a thread of its own."""

    def __init__(
        self,
        handover: Handover,
        intake: Intake,
        ledger: Ledger,
        publish: Callable[[Sequence[Claim]], None],
        offsets: TrailingOffsets,
        gate: Gate,
        epochs: Mapping[Partition, int],
    ) -> None:
        """`epochs` is the present epoch of each partition that is ours; another thread keeps it up to date."""
        self._handover = handover
        self._intake = intake
        self._ledger = ledger
        self._publish = publish
        self._offsets = offsets
        self._gate = gate
        self._epochs = epochs
        self._expected: dict[Partition, tuple[int, int]] = {}
        self._began: dict[Partition, tuple[int, int]] = {}
        self._rewound: dict[Partition, int] = {}
        self._looked_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="accept", daemon=True)
        self.outage = Outage("store", self._stopping)
        self.rereads: SimpleQueue[Reread] = SimpleQueue()
        """What must be read again; for the thread that polls."""
        self.ready = threading.Event()
        """Set once the ledger has answered."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, grace_s: float) -> None:
        """Finish the batch at hand, for at most `grace_s`; what is not stored by then is not committed either."""
        self._stopping.set()
        self._handover.close()
        self._thread.join(grace_s)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def sought(self, place: Partition, epoch: int, next_offset: int | None) -> None:
        """`place` is read again from `next_offset` on, under this new epoch.

        The ledger's own offset is what it expects next: should Kafka no longer have it, the gap is counted and not
        rewound to once more.
        """
        if next_offset is not None:
            self._expected[place] = (epoch, next_offset)

    def _run(self) -> None:
        while not self.ready.is_set() and not self._stopping.is_set():
            self._try_ledger()
        while not self._stopping.is_set():
            records = self._handover.take(LOOK_S if self._gate.closed else None)
            if records is None:
                return
            try:
                if records:
                    self._store(records)
                self._look()
            except Exception as error:
                # Uncommitted, so not lost: but without this thread nothing would go on, so the process must end.
                log.error("ingest.accept_failed", error=type(error).__name__, exc_info=True)
                return

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
        prepared: Prepared | None = None
        refusals = 0
        while not self._stopping.is_set():
            ours = [record for record in records if self._is_ours(record)]
            if not ours:
                return
            try:
                if prepared is None or len(ours) != len(records):
                    records, prepared = ours, self._intake.prepare(ours, self._known())
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
                self._rewind(accepted.rewinds, prepared)

    def _refused(self, record: Record, error: Exception, times: int) -> Prepared | None:
        """The ledger answered, but with an error of its own. Returns what to try in place of the message."""
        if times == 1:
            log.error("intake.refused_by_store", origin=record.origin, error=type(error).__name__, exc_info=True)
        self.outage.wait(type(error).__name__)
        return self._intake.unstorable(record, self._known()) if times >= REFUSALS else None

    def _is_ours(self, record: Record) -> bool:
        """Whether it is still this consumer's to store: not revoked since, and not about to be read again."""
        return self._epochs.get(record.place) == record.epoch != self._rewound.get(record.place)

    def _known(self) -> dict[Partition, int]:
        # A copy, because `sought` is called from the other thread.
        expected = self._expected.copy()
        return {place: known for place, (epoch, known) in expected.items() if self._epochs.get(place) == epoch}

    def _stored(self, records: Sequence[Record], prepared: Prepared, accepted: Accepted) -> None:
        epochs = {record.place: record.epoch for record in records}
        for span in prepared.spans:
            place = (span.topic, span.partition)
            self._expected[place] = (epochs[place], span.next)
            if self._began.get(place, (0, 0))[0] != epochs[place]:
                self._began[place] = (epochs[place], span.first)
            self._offsets.stored(place, epochs[place], span.next)
        self._publish(accepted.claims)
        self._gate.backlog(accepted.backlog)
        for entry, result in zip(prepared.entries, accepted.results, strict=True):
            if result == "repeated_elsewhere":
                log.warning("intake.repeated_elsewhere", id=entry.id, origin=entry.origin)
        log.debug("intake.stored", messages=len(records), entries=len(prepared.entries), claims=len(accepted.claims))

    def _rewind(self, rewinds: Sequence[Rewind], prepared: Prepared) -> None:
        """The ledger is behind what this consumer has read: it lost its last second, or was replaced."""
        first = {(span.topic, span.partition): span.first for span in prepared.spans}
        for rewind in rewinds:
            place = (rewind.topic, rewind.partition)
            epoch = self._epochs.get(place)
            if epoch is None:
                continue
            log.error("intake.ledger_behind", topic=place[0], partition=place[1], ledger=rewind.next, read=first[place])
            began_in, began = self._began.get(place, (0, 0))
            self._rewound[place] = epoch
            self._expected.pop(place, None)
            self.rereads.put(Reread(place, epoch, rewind.next, began if began_in == epoch else first[place]))

    def _look(self) -> None:
        """Ask how full Redis is; while paused also how much still waits, as no batch tells it then."""
        if time.monotonic() - self._looked_at < LOOK_S:
            return
        self._looked_at = time.monotonic()
        try:
            self._gate.memory(self._ledger.memory_share())
            if self._gate.closed:
                accepted = self._ledger.accept((), ())
                self._publish(accepted.claims)
                self._gate.backlog(accepted.backlog)
        except StoreUnavailable:
            return  # the next batch finds out, and says so

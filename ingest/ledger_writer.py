"""The thread that fills the ledger: takes what was read, prepares it, has it stored, publishes what may start at once.

It runs beside the thread that reads the source, so that neither a slow Redis nor a long batch keeps that one from its
next read. The order is the promise: stored first, confirmed then, published last. While Redis is away it tries again,
without end, with the same batch: nothing is skipped and nothing is confirmed.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic

from ingest.backpressure import Backpressure
from ingest.batch_preparer import BatchPreparer, PreparedBatch
from ingest.current_preparer import CurrentPreparer
from ingest.ingest_health import count_stored
from ingest.outage import Outage
from ingest.source import R, Source
from longshore.errors import IntakeStopped, StoreUnavailable, place_of
from longshore.invocation.mapping import JqUnavailable
from longshore.ledger.entry import Accepted, Claim
from longshore.ledger.ledger import MAX_CLAIMS, Ledger
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import LIMIT_S, Periodic

log = EventLog(__name__)

CHECK_S = 1.0
"""How often Redis's memory is asked for, and the backlog while no batch comes."""

PERIODIC_S = 0.3
"""How often the source may look at what was finished, and the limits of targets are kept in the ledger."""

REFUSALS = 5
"""How often a single message may fail in the ledger's own scripts before it is kept without its payload."""


class LedgerWriter(Generic[R]):
    """Fills the ledger from `source` in a thread of its own."""

    def __init__(
        self,
        source: Source[R],
        preparer: BatchPreparer | CurrentPreparer,
        ledger: Ledger,
        publish: Callable[[Sequence[Claim], int], None],
        backpressure: Backpressure,
        *,
        periodic: Callable[[], None] = lambda: None,
        limit_s: float = LIMIT_S,
    ) -> None:
        """`publish` gets claims and the size of the fleet.

        `periodic` is called a few times a second; it may raise `StoreUnavailable`. One try takes up to `limit_s`.
        """
        self._source = source
        self._preparer = preparer
        self._ledger = ledger
        self._publish = publish
        self._backpressure = backpressure
        self._periodic = periodic
        self._checked_at = self._periodic_at = 0.0
        self._at_hand: list[R] = []
        """Taken, and neither stored and published nor the source's again."""
        self._loop = Periodic("accept", 0, self._step, limit_s=limit_s)
        self._on_turn = self._loop.turn
        self._stopping = self._loop.stopping
        self._outage = Outage(events.REDIS_OUTAGE, self._stopping)
        self.ready = threading.Event()
        """Set once the ledger has answered."""

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self, grace_s: float) -> None:
        """Finish the batch at hand, for at most `grace_s`; what is not stored by then is not confirmed either."""
        self._loop.stop(0)
        self._source.close()
        self._loop.stop(grace_s)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._loop.alive

    def pause_cause(self) -> str:
        """Why nothing more should be read now: `operator`, `backlog`, `memory` or `redis`; empty: it may.

        From any thread.
        """
        return self._backpressure.cause or ("redis" if self._outage.is_on else "")

    def _step(self) -> None:
        """One batch, from `take` to `publish`. Whatever it raises, the batch stays at hand for the next step.

        So no later record is stored, and confirmed, ahead of one that was not.
        """
        if not self.ready.is_set():
            self._try_ledger()
            return
        if not self._at_hand:
            self._at_hand = list(self._source.take(CHECK_S))
        if self._stopping.is_set():
            return
        self._store_at_hand()
        self._check_ledger()
        self._run_periodic()

    def _store_at_hand(self) -> None:
        """While an operator has stopped intake, what is at hand stays there, and all but storing goes on."""
        if self._at_hand and not self._backpressure.is_stopped:
            try:
                self._store(self._at_hand)
            except IntakeStopped:
                self._backpressure.note_stop(True)
            else:
                self._at_hand = []
        if self._at_hand:
            self._stopping.wait(PERIODIC_S)

    def _try_ledger(self) -> None:
        try:
            # Known before the first record is read.
            self._backpressure.note_stop(self._ledger.is_intake_stopped())
            accepted = self._ledger.accept((), ())
            self._publish(accepted.claims, accepted.workers)
        except StoreUnavailable as error:
            self._outage.wait(error)
        else:
            self._outage.end()
            self.ready.set()

    def _store(self, records: Sequence[R]) -> None:
        """Store `records`, however long it takes; returns early only on `stop`.

        Each round of the loop is one try with all of them, and ends in one of four ways:

        - The ledger has them: the source confirms them, and what may start is published. Done.
        - Redis (or jq) is away, which says nothing of the records: the same again, later.
        - The ledger has lost what was read before (`confirm` returns False). It has taken nothing of the batch. The
          source takes back what it must hand over again, and the next round stores the rest.
        - The ledger's scripts fail. One record may be the cause, so each half is tried by itself, down to the single
          record, which is stored as a dead letter after some more tries (`_refused`).

        The invariant: a record leaves `_at_hand` only by itself, when the source has it back (`_admit`), and otherwise
        with the whole batch, when that is published (`_step`). Halves do not shrink it: if the second half raises, or
        publishing the first does, the next step begins with the whole batch again, and the ledger knows by their ids
        the records that it has.

        A crash leaves records that are stored and not confirmed, or neither: the source hands both out again. It leaves
        none confirmed that are not stored.
        """
        batch: PreparedBatch[R] | None = None
        refusals = 0
        while not self._stopping.is_set():
            admitted = self._admit(records)
            if len(admitted) != len(records):
                # The prepared batch covers records that must not be stored now, or not by us.
                records, batch = admitted, None
            self._on_turn()
            if not records:
                return
            try:
                self._source.sync()
                if batch is None:
                    batch = self._preparer.prepare(records, self._source.is_finished)
                accepted = self._ledger.accept(self._source.progress(batch.records, batch.skipped), batch.entries)
            except IntakeStopped:
                self._outage.end()
                raise
            except (StoreUnavailable, JqUnavailable) as error:
                self._outage.wait(error)
            except Exception as error:
                if len(records) > 1:
                    self._store(records[: len(records) // 2])
                    self._store(records[len(records) // 2 :])
                    return
                refusals += 1
                batch = self._refused(records[0], error, refusals)
            else:
                self._outage.end()
                if self._source.confirm(batch.records, accepted):
                    self._stored(batch, accepted)
                    return

    def _admit(self, records: Sequence[R]) -> Sequence[R]:
        """Those that the source wants stored now. The others leave the batch at hand: they are the source's again.

        By identity and one by one: `records` may be a half, and what the source withholds of the other half is not the
        source's before that half is asked about.
        """
        admitted = self._source.admit(records)
        if len(admitted) != len(records):
            withheld = set(map(id, records)).difference(map(id, admitted))
            self._at_hand = [record for record in self._at_hand if id(record) not in withheld]
        return admitted

    def _refused(self, record: R, error: Exception, refusals: int) -> PreparedBatch[R] | None:
        """The ledger's scripts failed for this one record. Returns the batch to try next; None: prepare it again."""
        if refusals == 1:
            log.event(events.INGEST_WRITE_REFUSED, origin=record.origin, error=type(error).__name__, at=place_of(error))
        self._outage.wait(type(error).__name__)
        return self._preparer.make_unstorable(record) if refusals >= REFUSALS else None

    def _stored(self, batch: PreparedBatch[R], accepted: Accepted) -> None:
        # If publishing fails, or we crash before, these claims lapse after seconds and a pump dispatches them again.
        self._publish(accepted.claims, accepted.workers)
        self._backpressure.note_backlog(accepted.backlog)
        count_stored([reason for _, reason in batch.skipped], batch.entries, accepted)
        for entry, result in zip(batch.entries, accepted.results, strict=True):
            if result == "repeated_elsewhere":
                log.event(events.INGEST_ID_REPEATED, id=entry.id, origin=entry.origin)
        messages, entries = len(batch.records), len(batch.entries)
        log.event(events.INGEST_BATCH_STORED, messages=messages, entries=entries, claims=len(accepted.claims))

    def _check_ledger(self) -> None:
        """What no batch shows while none comes: how full Redis is, how much waits, whether the ledger fell behind."""
        if time.monotonic() - self._checked_at < CHECK_S:
            return
        self._checked_at = time.monotonic()
        try:
            self._source.sync()
            self._backpressure.note_stop(self._ledger.is_intake_stopped())
            self._backpressure.note_memory(self._ledger.memory_share())
            # While ingest is paused it sends no batch that would claim; otherwise the workers' pumps do.
            claims = MAX_CLAIMS if self._backpressure.is_closed else 0
            accepted = self._ledger.accept(self._source.position(), (), claims)
            # The batch that met an outage may have become the source's again, all of it: nothing else would end the
            # outage then, as nothing is read while it lasts.
            self._outage.end()
            self._publish(accepted.claims, accepted.workers)
            if self._source.confirm((), accepted):
                self._backpressure.note_backlog(accepted.backlog)
        except StoreUnavailable:
            return  # the next batch meets it too, and logs it

    def _run_periodic(self) -> None:
        if time.monotonic() - self._periodic_at < PERIODIC_S:
            return
        self._periodic_at = time.monotonic()
        try:
            self._periodic()
            self._source.refresh()
        except StoreUnavailable:
            return  # as above

"""The second step: prepared attempts begin, only as many as are sent at once.

From `begin` on bytes may leave, so what is lost with the process lapses to its unknown-outcome policy. That is a false
alarm for those that nobody had started to send: at most `MAX_UNSENT`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from longshore.errors import StoreUnavailable, place_of
from longshore.ledger.faults import LedgerFault
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.gate import Gate
from tasks.worker.in_flight import InFlight
from tasks.worker.pipeline.attempts import PreparedAttempt
from tasks.worker.pipeline.claim_release import ClaimRelease
from tasks.worker.shutdown import Shutdown
from tasks.worker.stage import IDLE_S

log = EventLog(__name__)

MAX_UNSENT = 16
"""Attempts that have begun and that no thread has taken up yet."""

MIN_FREE = 12
"""So many of these places are waited for. The others keep the senders at work while the ledger begins more."""


class Begin:
    """Begins attempts and hands them to `send`, which calls back when a thread takes an attempt up."""

    def __init__(
        self,
        ledger: Ledger,
        send: Callable[[PreparedAttempt, Callable[[], None]], None],
        release: ClaimRelease,
        in_flight: InFlight,
        shutdown: Shutdown,
    ) -> None:
        self._ledger = ledger
        self._send = send
        self._release = release
        self._in_flight = in_flight
        self._shutdown = shutdown
        self._unsent = Gate(MAX_UNSENT)

    @property
    def is_waiting(self) -> bool:
        """Whether attempts wait for those before them to be taken up: then there is no use in preparing more."""
        return self._unsent.is_awaited

    def begin_all(self, batch: Sequence[PreparedAttempt]) -> None:
        """Begins the attempts of `batch`, some at a time; waits while those before are not taken up. Raises nothing.

        Gives back what has not begun when the process drains.
        """
        while batch:
            # Not one by one as they are taken up: most of the places serve one call of the ledger.
            size = min(len(batch), MAX_UNSENT)
            count = self._unsent.enter(size, IDLE_S, min_count=min(size, MIN_FREE))
            if self._shutdown.draining.is_set():
                self._unsent.leave(count)
                self._give_back(batch)
                return
            if count:
                self._begin(batch[:count])
                batch = batch[count:]

    def _begin(self, batch: Sequence[PreparedAttempt]) -> None:
        """`batch` has its places in `_unsent`."""
        # Before it is known: a drain that looks while the answer is on its way has to wait for what has begun.
        for prepared in batch:
            self._in_flight.add(prepared.attempt, prepared.executor.max_duration_s(prepared.attempt))
        try:
            answers = self._ledger.begin([(each.attempt.id, each.attempt.token) for each in batch])
        except Exception as error:
            if not isinstance(error, StoreUnavailable):
                ids = [prepared.attempt.id for prepared in batch]
                log.event(events.DELIVERY_CRASHED, ids=ids, error=type(error).__name__, at=place_of(error))
            # They may have begun, and only the reply was lost: left so, they would end as unknown, though never sent.
            self._unsent.leave(len(batch))
            self._give_back(batch)
            for prepared in batch:
                self._in_flight.remove(prepared.attempt)
            return
        for prepared, answer in zip(batch, answers, strict=True):
            if isinstance(answer, int):
                prepared.received.started()
                attempt = replace(prepared.attempt, first_ms=answer)
                self._send(replace(prepared, attempt=attempt), self._unsent.leave)
            else:
                self._unsent.leave()
                self._in_flight.remove(prepared.attempt)
                _log_refusal(prepared, answer)
                prepared.received.ended(None)

    def _give_back(self, batch: Sequence[PreparedAttempt]) -> None:
        self._release.give_back([prepared.received for prepared in batch])


def _log_refusal(prepared: PreparedAttempt, answer: LedgerFault | None) -> None:
    claim = prepared.received.claim
    if answer is None:
        log.event(events.DELIVERY_MESSAGE_OUTDATED, id=claim.id, token=claim.token)
    else:  # it may have begun: its lease lapses
        log.event(events.DELIVERY_RECORD_BROKEN, id=claim.id, error=str(answer))

"""Sending ended invocations again: some at once, or all that a filter takes as a job. Each act is one line in the log.

A dry run is answered by the script that would do it, so it cannot differ from the act.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.requeue import RequeueJob, RequeueRequest
from longshore.ledger.scan import Filter
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.find import Counts, count
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.refusals import NotFound, TooMany

log = EventLog(__name__)

MAX_JOB = 100_000
"""Invocations one job may send again, unless the caller gives another cap."""

BY_REASON_ONLY = "bad_signature"
"""Nobody knows who sent it: anybody who may write to the topic could have it carried out by a requeue of the rest."""

Pick = tuple[str, int | None]
"""An id in the ledger, and the generation that was looked at, or None for whichever it is in now."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a requeue of all that a filter takes would send."""

    filter: Filter
    """It ends at the time of the selection: what ends later was not looked at by anybody."""
    counts: Counts
    left_out: int
    """How many the filter takes that are sent only where it names their reason, `BY_REASON_ONLY`."""

    @property
    def total(self) -> int:
        """How many it would send."""
        return self.counts.total()

    def require(self, cap: int = MAX_JOB) -> None:
        """Raises `NotFound` where it is empty, and `TooMany` where it holds more than `cap`."""
        if not self.total:
            raise NotFound("no match")
        if self.total > cap:
            raise TooMany(self.total, cap)


def requeue(
    access: LedgerAccess, picks: Iterable[Pick], order: RequeueRequest, *, dry_run: bool = False
) -> list[tuple[str, str]]:
    """Sends `picks` again, each at once. Returns each id with its outcome, a key of `OUTCOME_TEXT`.

    With `dry_run` nothing changes, and the outcomes are those there would be.

    Each is one script: a crash in between leaves those before it sent again, with their note, and the others as they
    were.
    """
    results = [(id, _requeue(access, id, generation, order, dry_run)) for id, generation in picks]
    if not dry_run:
        counts = Counter(outcome for _, outcome in results)
        id = results[0][0] if len(results) == 1 else None
        log.event(events.OPERATOR_REQUEUED, actor=order.actor, why=order.why, replay=order.replay, id=id, **counts)
    return results


def select(access: LedgerAccess, filter: Filter, cap: int | None = None) -> Selection:
    """Counts what a job for `filter` would send. Those that need a text to be looked for are counted up to `cap`."""
    filter = replace(filter, until_ms=filter.until_ms or access.ledger.clock_ms())
    counts = count(access, filter, cap)
    sent = Counter({key: number for key, number in counts.items() if _is_sent(key[1], filter)})
    return Selection(filter, sent, counts.total() - sent.total())


def start_job(
    access: LedgerAccess,
    selection: Selection,
    order: RequeueRequest,
    track: Callable[[Iterable[InvocationRecord]], Iterable[InvocationRecord]] = iter,
) -> RequeueJob:
    """Makes a job of `selection`, which the workers carry out. `track` sees each invocation as it is listed."""
    filter = selection.filter
    letters = (letter for letter in access.invocations.find(filter) if _is_sent(letter.reason, filter))
    job = access.requeue.start(track(letters), order)
    log.event(
        events.OPERATOR_JOB_STARTED, actor=order.actor, why=order.why, job=job.id, total=job.total, canary=order.canary
    )
    return job


def requeue_all(access: LedgerAccess, filter: Filter, order: RequeueRequest, cap: int = MAX_JOB) -> RequeueJob:
    """Makes a job of all that `filter` takes. Raises `NotFound` for nothing, and `TooMany` for more than `cap`."""
    selection = select(access, filter, cap)
    selection.require(cap)
    return start_job(access, selection, order)


def _requeue(access: LedgerAccess, id: str, generation: int | None, order: RequeueRequest, dry_run: bool) -> str:
    letter = access.invocations.get(id)
    if letter is None:
        return "gone"
    if generation is not None and generation != letter.generation:
        return "changed"
    return access.requeue.one(letter, order, dry_run=dry_run)


def _is_sent(reason: str, filter: Filter) -> bool:
    return reason != BY_REASON_ONLY or filter.reason == BY_REASON_ONLY

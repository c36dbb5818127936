"""Requeues ended invocations: some at once, or all that match a filter as a job. Each call logs one event.

A dry run is answered by the same Lua script, so it cannot differ from the requeue.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.requeue import RequeueJob, RequeueRequest
from longshore.ledger.scan import Filter
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.find import Counts, count_invocations
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.refusals import NotFound, TooMany

log = EventLog(__name__)

MAX_JOB = 100_000
"""Invocations one job may send again, unless the caller gives another cap."""

BY_REASON_ONLY = "bad_signature"
"""Excluded unless the filter names it: its sender is unknown, and may be anybody who may write to the topic."""

Pick = tuple[str, int | None]
"""An id in the ledger, and the generation that the operator saw, or None for the present one."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a requeue of all that match a filter would send."""

    filter: Filter
    """Its `until` is at most the time of the selection: nobody has seen what ends later."""
    counts: Counts
    excluded_count: int
    """How many match the filter but have the reason `BY_REASON_ONLY`, which it does not name."""

    @property
    def total(self) -> int:
        """How many it would requeue."""
        return self.counts.total()

    def check_size(self, cap: int = MAX_JOB) -> None:
        """Raises `NotFound` where it is empty, and `TooMany` where it holds more than `cap`."""
        if not self.total:
            raise NotFound("no match")
        if self.total > cap:
            raise TooMany(self.total, cap)


def requeue(
    access: LedgerAccess, picks: Iterable[Pick], request: RequeueRequest, *, dry_run: bool = False
) -> list[tuple[str, str]]:
    """Requeues `picks`, each at once. Returns each id with its outcome, a key of `OUTCOME_TEXT`.

    With `dry_run` nothing changes, and the outcomes are those that a requeue would have.

    Each is one script: a crash in between leaves the first ones requeued, with their note, and the others unchanged.
    """
    results = [(id, _requeue(access, id, generation, request, dry_run)) for id, generation in picks]
    if not dry_run:
        counts = Counter(outcome for _, outcome in results)
        id = results[0][0] if len(results) == 1 else None
        log.event(
            events.OPERATOR_REQUEUED, actor=request.actor, why=request.why, replay=request.replay, id=id, **counts
        )
    return results


def select(access: LedgerAccess, filter: Filter, cap: int | None = None) -> Selection:
    """Counts what a job for `filter` would send. With a text in the filter counting stops after `cap`."""
    filter = replace(filter, until_ms=filter.until_ms or access.ledger.clock_ms())
    counts = count_invocations(access, filter, cap)
    sent = Counter({key: number for key, number in counts.items() if _is_requeued(key[1], filter)})
    return Selection(filter, sent, counts.total() - sent.total())


def start_job(
    access: LedgerAccess,
    selection: Selection,
    request: RequeueRequest,
    track: Callable[[Iterable[InvocationRecord]], Iterable[InvocationRecord]] = iter,
) -> RequeueJob:
    """Creates a job of `selection`, which the workers run. `track` gets each invocation as it is listed."""
    filter = selection.filter
    records = (record for record in access.invocations.find(filter) if _is_requeued(record.reason, filter))
    job = access.requeue.start_job(track(records), request)
    log.event(
        events.OPERATOR_JOB_STARTED,
        actor=request.actor,
        why=request.why,
        job=job.id,
        total=job.total,
        canary=request.canary,
    )
    return job


def requeue_all(access: LedgerAccess, filter: Filter, request: RequeueRequest, cap: int = MAX_JOB) -> RequeueJob:
    """Creates a job of all that match `filter`. Raises `NotFound` for no match, `TooMany` for more than `cap`."""
    selection = select(access, filter, cap)
    selection.check_size(cap)
    return start_job(access, selection, request)


def _requeue(access: LedgerAccess, id: str, generation: int | None, request: RequeueRequest, dry_run: bool) -> str:
    record = access.invocations.get(id)
    if record is None:
        return "gone"
    if generation is not None and generation != record.generation:
        return "changed"
    return access.requeue.requeue_one(record, request, dry_run=dry_run)


def _is_requeued(reason: str, filter: Filter) -> bool:
    return reason != BY_REASON_ONLY or filter.reason == BY_REASON_ONLY

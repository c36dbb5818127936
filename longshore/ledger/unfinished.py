"""What is not finished: counted, as often as somebody likes to look, and found one by one.

Finished is what has ended and has no unsent reports. The counts are of one moment each and cheap; finding reads the
ledger a page at a time, and what moves meanwhile may be found once too often or not at all.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from longshore.ledger.connection import reaching_store
from longshore.ledger.due_scores import due_ms
from longshore.ledger.fleet_snapshot import take_snapshot
from longshore.ledger.ledger import Ledger
from longshore.ledger.text import decode

PAGE = 500


@dataclass(frozen=True, slots=True)
class UnfinishedCounts:
    """How much is not finished, and how much has ended and waits for an operator's decision."""

    waiting: Counter[str]
    """Cause → how many wait for it, see `wait_causes.py`."""
    in_flight: int
    acknowledgements: int
    """Runs that are polled, and of which Port is still to be told."""
    reports: int
    """Invocations with reports that Port has not received."""
    jobs: int
    """Requeue jobs that go on."""
    dead: int
    unknown: int
    workers: int
    """Worker processes, without which nothing is finished."""

    @property
    def total(self) -> int:
        """How much is not finished; an invocation may be counted for itself and for its reports."""
        return self.waiting.total() + self.in_flight + self.acknowledgements + self.reports + self.jobs

    @property
    def is_stuck(self) -> bool:
        """Whether all of it waits for an operator, who has paused it, or what stands before it in its order.

        Where nothing is in flight or waits for anything else, the first of an order is paused, or failed and holds it.
        """
        return 0 < self.total == self.waiting["paused"] + self.waiting["order"]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One invocation that is not finished."""

    id: str
    due_ms: float
    """When it may start, where it waits in a lane; 0 where it does not."""


def count_unfinished(ledger: Ledger) -> UnfinishedCounts:
    """Counts of now. Raises `StoreUnavailable`."""
    snapshot = take_snapshot(ledger)
    with reaching_store(), ledger.redis.pipeline(transaction=False) as pipe:
        pipe.zcard(ledger.keys.acks)
        pipe.zcard(ledger.keys.jobs)
        acknowledgements, jobs = pipe.execute()
    return UnfinishedCounts(
        waiting=+snapshot.waiting,
        in_flight=snapshot.in_flight,
        acknowledgements=acknowledgements,
        reports=snapshot.reports,
        jobs=jobs,
        dead=snapshot.dead,
        unknown=snapshot.unknown,
        workers=snapshot.workers,
    )


def find_unfinished(ledger: Ledger) -> Iterator[Unfinished]:
    """Each invocation that is not finished, once. Raises `StoreUnavailable`."""
    ids: set[str] = set()
    for id, score in _members(ledger):
        if id not in ids:
            ids.add(id)
            yield Unfinished(id, score)


def _members(ledger: Ledger) -> Iterator[tuple[str, float]]:
    redis, keys = ledger.redis, ledger.keys
    lanes = re.sub(r"([\\[*?])", r"\\\1", keys.waiting(""))
    with reaching_store():
        for lane in redis.scan_iter(match=f"{lanes}*", count=1000):
            for id, score in redis.zscan_iter(lane, count=PAGE):
                yield decode(id), due_ms(score, ledger.limits.late)
        for key in (keys.leases, keys.acks, keys.outbox_since):
            for id, _ in redis.zscan_iter(key, count=PAGE):
                yield decode(id), 0

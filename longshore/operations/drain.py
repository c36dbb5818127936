"""The way back to Port's own agent: intake stops, what is under way is finished, and what is left over is written down.

Each step may be the last one of a process that is killed, and all may be repeated:

1. The stop is one write to Redis. Killed before it, nothing has changed; after it, intake stays stopped until somebody
   cancels.
2. Waiting only reads.
3. The export (`leftovers.py`) is written beside the file and renamed, so that a file of that name is always whole.
4. A commit goes no further than the ledger has accepted, and is taken only while no ingest is left to make it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from longshore.ledger.intake import IntakeStop, resume_intake
from longshore.ledger.intake import stop_intake as stop_in_ledger
from longshore.ledger.partition_offsets import Partition, read_partition_offsets
from longshore.ledger.unfinished import UnfinishedCounts, count_unfinished
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.ledger_access import LedgerAccess

log = EventLog(__name__)

LOOK_S = 0.5
"""Between two looks at what is left; ingest obeys within about a second."""

Offsets = Mapping[Partition, int | None]


class Group(Protocol):
    """The commits of the consumer group, from outside of it."""

    def read(self) -> Offsets:
        """Of each partition the committed offset, None without one."""

    def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Commit; False if the group has members, who do it themselves."""


@dataclass(frozen=True, slots=True)
class PartitionEnd:
    """From where the next member of the group reads a partition."""

    partition: Partition
    committed: int | None
    """None: from where its `auto.offset.reset` says."""
    ledger_next: int | None
    """The first offset that the ledger does not have; None where it has none of the partition."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing that the ledger has would be read again."""
        return self.ledger_next is None or (self.committed is not None and self.committed >= self.ledger_next)


def stop_intake(access: LedgerAccess, actor: str) -> IntakeStop:
    """Stops intake of the whole fleet. Returns the stop that holds, which may be an earlier one."""
    stop = stop_in_ledger(access.ledger, actor)
    log.event(events.OPERATOR_INTAKE_STOPPED, actor=actor, by=stop.by)
    return stop


def cancel(access: LedgerAccess, actor: str) -> None:
    """Lets intake go on."""
    resume_intake(access.ledger)
    log.event(events.OPERATOR_INTAKE_RESUMED, actor=actor)


def wait_until_finished(
    access: LedgerAccess, deadline: float, on_progress: Callable[[UnfinishedCounts], None]
) -> UnfinishedCounts:
    """Waits until nothing is unfinished, or only what waits for an operator, or `deadline` (of `time.monotonic`).

    Twice in a row, as what is read in several steps may be on its way from one count to another.
    """
    quiet = 0
    while True:
        counts = count_unfinished(access.ledger)
        on_progress(counts)
        quiet = quiet + 1 if not counts.total or counts.is_stuck else 0
        if quiet == 2 or time.monotonic() >= deadline:
            return counts
        time.sleep(min(LOOK_S, max(0.0, deadline - time.monotonic())))


def read_ends(access: LedgerAccess, group: Group) -> list[PartitionEnd]:
    """From where the next member of the group reads each partition, and where the ledger stands."""
    commits = group.read()
    following = read_partition_offsets(access.ledger, list(commits)).next
    return [PartitionEnd(each, commits[each], following.get(each)) for each in sorted(commits)]


def settle_commits(access: LedgerAccess, group: Group, deadline: float) -> list[PartitionEnd]:
    """Waits until all that the ledger has is committed, or `deadline`; commits it where no ingest is left to.

    Call it when nothing is unfinished, or what is left is exported.
    """
    while True:
        ends = read_ends(access, group)
        behind = {end.partition: end.ledger_next for end in ends if not end.is_settled and end.ledger_next is not None}
        if not behind or (not group.commit(behind) and time.monotonic() >= deadline):
            return ends
        time.sleep(LOOK_S)

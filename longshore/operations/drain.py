"""The way back to Port's own agent: intake stops, what is under way is finished, and what is left over is written down.

Each step may be the last one of a process that is killed, and all may be repeated:

1. The stop is one write to Redis. Killed before it, nothing has changed; after it, intake stays stopped until somebody
   cancels.
2. Waiting only reads.
3. The export is written beside the file and renamed, so that a file of that name is always whole.
4. A commit goes no further than the ledger has accepted, and is taken only while no ingest is left to make it.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from longshore.ledger.due_scores import NEVER_MS
from longshore.ledger.intake import IntakeStop, resume_intake
from longshore.ledger.intake import stop_intake as stop_in_ledger
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.scan import Filter
from longshore.ledger.states import FAILED_STATES, FINAL_STATES, State
from longshore.ledger.unfinished import UnfinishedCounts, count_unfinished, find_unfinished
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.ledger_access import LedgerAccess

log = EventLog(__name__)

BATCH = 500
LOOK_S = 0.5
"""Between two looks at what is left; ingest obeys within about a second."""

Partition = tuple[str, int]
Offsets = Mapping[Partition, int | None]


class Group(Protocol):
    """The commits of the consumer group, from outside of it."""

    def read(self) -> Offsets:
        """Of each partition the committed offset, None without one."""

    def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Commit; False if the group has members, who do it themselves."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """An invocation that would be lost with the ledger."""

    record: InvocationRecord
    why: str
    """`paused`, `order` (others of its order come first), `later` (it is not due yet), `waiting`, `in_flight`,
    `unacknowledged`, `reports`, `dead`, `unknown`."""

    def as_dict(self) -> dict[str, Any]:
        """Its clear fields, as `longshore dlq export` has them, and why it is left."""
        return {"left": self.why, **self.record.as_dict()}


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


def find_leftovers(access: LedgerAccess) -> Iterator[Leftover]:
    """All that would be lost with the ledger: what is unfinished, then dead letters and unknown outcomes."""
    for leftover in find_unfinished_records(access):
        if leftover.record.state not in FAILED_STATES:  # they follow
            yield leftover
    for record in access.invocations.find(Filter()):
        yield Leftover(record, record.state.value)


def find_unfinished_records(access: LedgerAccess) -> Iterator[Leftover]:
    """What is unfinished; also what has ended and has unsent reports."""
    now_ms = access.ledger.clock_ms()
    paused: dict[str, bool] = {}

    def is_paused(name: str) -> bool:
        if name not in paused:
            paused[name] = access.targets.operator_control(name).paused
        return paused[name]

    def why(record: InvocationRecord, due_ms: float) -> str:
        if record.state in FINAL_STATES:
            return "reports"
        if record.state is State.HELD:
            return "unacknowledged"
        if record.state is not State.WAITING:
            return "in_flight"
        if is_paused(record.target) or is_paused(record.lane):
            return "paused"
        if due_ms >= NEVER_MS:
            return "order"
        return "later" if due_ms > now_ms else record.state.value

    unfinished = find_unfinished(access.ledger)
    while batch := list(islice(unfinished, BATCH)):
        due = {each.id: each.due_ms for each in batch}
        for record in access.invocations.read(list(due)):
            yield Leftover(record, why(record, due[record.id]))


def count_leftovers(leftovers: Iterator[Leftover], keep: int) -> tuple[Counter[str], list[Leftover]]:
    """How many are left for which reason, and the first `keep` of each reason."""
    counts: Counter[str] = Counter()
    examples = []
    for leftover in leftovers:
        counts[leftover.why] += 1
        if counts[leftover.why] <= keep:
            examples.append(leftover)
    return counts, examples


def export_leftovers(access: LedgerAccess, path: Path) -> int:
    """Writes what is left to `path`, one JSON object a line, with the attempts; returns how many. Raises `OSError`.

    Payloads are not in it. A file of that name is replaced when the new one is whole and on the disk.
    """
    beside = path.with_name(f"{path.name}.unfinished")
    count, leftovers = 0, find_leftovers(access)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        while batch := list(islice(leftovers, BATCH)):
            histories = access.invocations.histories([leftover.record.id for leftover in batch])
            for leftover, history in zip(batch, histories, strict=True):
                file.write(json.dumps({**leftover.as_dict(), "history": history}) + "\n")
            count += len(batch)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    return count


def read_ends(access: LedgerAccess, group: Group) -> list[PartitionEnd]:
    """From where the next member of the group reads each partition, and where the ledger stands."""
    commits = group.read()
    following = access.ledger.partition_offsets(list(commits)).next
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

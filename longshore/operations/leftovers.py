"""What is not finished, one by one and why; and what would be lost with the ledger: listed, counted, exported."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from longshore.ledger.due_scores import NEVER_MS
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.scan import Filter
from longshore.ledger.states import FAILED_STATES, FINAL_STATES, State
from longshore.ledger.target_control import Hold
from longshore.ledger.unfinished import find_unfinished
from longshore.operations.ledger_access import LedgerAccess

BATCH = 500


@dataclass(frozen=True, slots=True)
class Leftover:
    """An invocation that is not finished, or would be lost with the ledger."""

    record: InvocationRecord
    why: str
    """`paused`, `order` (others of its order come first), `later` (it is not due yet), `waiting`, `in_flight`,
    `unacknowledged`, `reports`, `dead`, `unknown`."""
    has_open_breaker: bool = False
    """Whether the breaker of its target or lane is open."""

    def as_dict(self) -> dict[str, Any]:
        """Its clear fields, as `longshore dlq export` has them, and why it is left."""
        return {"left": self.why, **self.record.as_dict()}


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
    unfinished = find_unfinished(access.ledger)
    while batch := list(islice(unfinished, BATCH)):
        due = {each.id: each.due_ms for each in batch}
        records = list(access.invocations.read(list(due)))
        holds = access.targets.holds({name for record in records for name in (record.target, record.lane) if name})
        for record in records:
            own = {holds.get(record.target), holds.get(record.lane)}
            yield Leftover(record, _explain(record, Hold.PAUSED in own, due[record.id], now_ms), Hold.BREAKER in own)


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


def _explain(record: InvocationRecord, is_paused: bool, due_ms: float, now_ms: int) -> str:
    if record.state in FINAL_STATES:
        return "reports"
    if record.state is State.HELD:
        return "unacknowledged"
    if record.state is not State.WAITING:
        return "in_flight"
    if is_paused:
        return "paused"
    if due_ms >= NEVER_MS:
        return "order"
    return "later" if due_ms > now_ms else record.state.value

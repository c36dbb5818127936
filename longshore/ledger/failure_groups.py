"""What failed between two times, grouped for people: how many by state, target and reason, and some ids."""

from collections import Counter
from dataclasses import dataclass, field

from longshore.ledger.ledger import Ledger
from longshore.ledger.scan import SCAN_COUNT, FailedScan, Filter
from longshore.ledger.states import State
from longshore.ledger.text import decode

MAX_PAGES = 20
"""Pages that are read of a state, each `SCAN_COUNT` records."""


@dataclass(frozen=True, slots=True)
class FailureGroups:
    """The failures of one state."""

    state: State
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(target, reason) → how many."""
    ids: tuple[str, ...] = ()
    """The newest."""
    has_more: bool = False
    """Whether there are more than were counted."""


def read_failures(ledger: Ledger, state: State, after_ms: int, until_ms: int, max_ids: int) -> FailureGroups:
    """What came to `state` later than `after_ms`, up to `until_ms`. Raises `StoreUnavailable`."""
    filter = Filter((state,), since_ms=after_ms + 1, until_ms=until_ms)
    counts: Counter[tuple[str, str]] = Counter()
    ids: list[str] = []
    pages = FailedScan(ledger.redis, ledger.keys).pages(state, filter, SCAN_COUNT, fields=("target", "reason"))
    for number, page in enumerate(pages):
        if number == MAX_PAGES:
            return FailureGroups(state, counts, tuple(ids), has_more=True)
        counts.update((target, reason) for target, reason in page.records)
        ids += [decode(id) for _, id in page.cursors[: max_ids - len(ids)]]
    return FailureGroups(state, counts, tuple(ids))

"""Where to begin to read a partition that was assigned, or whose offset Kafka no longer has: the rules, all of them.

A usable commit decides, unless the ledger has fallen behind it. Without one, the ledger's own next offset does; without
that too, the reset rule. A partition that was made anew begins at its beginning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingest.intervals import Intervals, above
from ingest.mark import Mark

BEGINNING = frozenset({"earliest", "smallest", "beginning"})
END = frozenset({"largest", "latest", "end"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one partition."""

    low: int
    """The first offset Kafka still has."""
    high: int
    """The next one it will give out."""
    committed: int | None
    """The group's commit, or where we stood when Kafka had that no longer; None if there is none."""
    mark: Mark | None
    """What came with the commit, if it is one of ours."""
    ledger: str
    """Name of the ledger; empty if it is new."""
    known: int | None
    """The offset the ledger expects next; None if it has never read the partition."""
    by_time: int | None
    """The first offset that is about as young as what the ledger had last, or younger; the first of all where none is.
    None if the ledger knows no such time."""
    added: bool
    """Whether the partition was added to a topic that the group had begun to read."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin, what to tell the ledger, and what to say."""

    offset: int
    reason: str
    """Code, for the log."""
    expected: int | None = None
    """What the ledger's next offset is, where it answers for all below it."""
    since: int = 0
    """The first offset that the ledger has read, or will have."""
    finished: Intervals = ()
    """Finished before, though not by this ledger: not to be done again."""
    of: int = 0
    """See `Mark.of`."""
    ledger: str = ""
    """Name of the ledger that was asked."""
    passed: Mapping[str, int] = field(default_factory=dict)
    """Reason → offsets between the ledger's next and this one that will not be read."""
    anew: bool = False
    """The ledger's next offset goes back: the partition is another one than before."""
    commit: bool = False
    """Commit this offset at once, so that whoever comes next begins here too."""


NORMAL = frozenset({"committed", "finished_elsewhere", "first_time"})
"""Reasons that are nothing to worry about."""

REMEDIES = {
    "ledger_replaced": "what the old ledger had not delivered: longshore rebuild --since TIME",
    "out_of_range": "more retention in Kafka, or longshore rebuild --since TIME for what it still has",
}
"""Reason → what an operator can do."""


def start_of(facts: Facts, reset: str) -> Start | None:
    """Where to begin; None where the reset rule is `error` and nothing else decides."""
    if facts.known is not None and facts.known > facts.high:
        return _made_anew(facts)
    if facts.committed is not None and facts.low <= facts.committed <= facts.high:
        return _at_commit(facts, facts.committed)
    if facts.known is not None:
        return _by_ledger(facts, facts.known, reset)
    if facts.committed is not None and facts.committed > facts.high:
        return _fresh(facts.low, "made_anew")
    if facts.committed is None and facts.added:
        return _fresh(facts.low, "new_partition")
    where = _reset(facts, reset)
    if where is None:
        return None
    if facts.committed is None:
        return _fresh(where, "first_time")
    done = facts.mark.finished if facts.mark is not None else None
    return Start(where, "out_of_range", since=where, finished=above(done or (), where), commit=True)


def _made_anew(facts: Facts) -> Start:
    """Offsets have gone back. What is younger than the last record we had is new to us, so usually all of it.

    A partition that only lost its end comes to nearly where it was, or to its beginning if little is published: what is
    read again then is known by its ids.
    """
    offset = facts.low if facts.by_time is None else max(facts.low, min(facts.by_time, facts.high))
    return Start(offset, "made_anew", since=offset, anew=True, commit=True)


def _at_commit(facts: Facts, committed: int) -> Start:
    mark, known = facts.mark, facts.known
    if mark is None:
        passed = _passed(known, committed, "committed_by_others")
        return Start(committed, "moved_ahead" if passed else "committed", known, committed, passed=passed)
    if mark.finished is not None:
        # All below is finished, whichever ledger did it, and even if that has lost its end.
        reason = "committed" if mark.ledger == facts.ledger else "finished_elsewhere"
        passed = _passed(known, committed, "finished_before")
        return Start(committed, reason, known, mark.since, mark.finished, passed=passed)
    if mark.ledger != facts.ledger:
        passed = _passed(known, committed, "committed_by_others")
        return Start(committed, "ledger_replaced", known, committed, passed=passed)
    if known is not None and known >= committed:
        return Start(committed, "committed", known, mark.since)
    # It has lost its end, or is an older copy of itself.
    wanted = mark.since if known is None else known
    offset = max(wanted, facts.low)
    passed = {"expired": offset - wanted} if known is not None and offset > wanted else {}
    return Start(offset, "ledger_behind", known, mark.since, passed=passed, commit=True)


def _by_ledger(facts: Facts, known: int, reset: str) -> Start | None:
    """There is no commit that can be used: too old to be kept, or of a partition that is no more."""
    # Some records again cost nothing, as their ids are known. In a partition that was made anew and has got as far as
    # the old one, this is the beginning.
    wanted = known if facts.by_time is None else min(known, facts.by_time)
    if known >= facts.low:
        return Start(max(wanted, facts.low), "commit_gone", known, wanted, commit=True)
    where = _reset(facts, reset)
    if where is None:
        return None
    lost = {"expired": facts.low - known, "passed_by_reset": where - facts.low}
    passed = {reason: number for reason, number in lost.items() if number > 0}
    return Start(where, "out_of_range", known, where, passed=passed, commit=True)


def _reset(facts: Facts, reset: str) -> int | None:
    return facts.low if reset in BEGINNING else facts.high if reset in END else None


def _fresh(offset: int, reason: str) -> Start:
    # Committed at once: with `largest`, a restart before the first message would otherwise begin behind that one.
    return Start(offset, reason, since=offset, commit=True)


def _passed(known: int | None, start: int, reason: str) -> dict[str, int]:
    return {reason: start - known} if known is not None and known < start else {}

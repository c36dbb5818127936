"""Where to begin to read a partition that was assigned, or whose offset Kafka no longer has: the rules, all of them.

A usable commit decides, unless the ledger has fallen behind it. Without one, the ledger's own next offset does; without
that too, the reset rule. A partition that was made anew begins at its beginning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ingest.kafka.commit_metadata import CommitMetadata
from ingest.kafka.offset_set import OffsetSet, above

BEGINNING = frozenset({"earliest", "smallest", "beginning"})
END = frozenset({"largest", "latest", "end"})


Reason = Literal[
    "committed",
    "finished_elsewhere",
    "first_time",
    "ledger_behind",
    "ledger_replaced",
    "recreated",
    "new_partition",
    "moved_ahead",
    "commit_gone",
    "out_of_range",
    "read_again",
]
"""Why a partition is read from where it is."""


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What is known of one partition."""

    low: int
    """The first offset Kafka still has."""
    high: int
    """The next one it will give out."""
    committed: int | None
    """The group's commit, or where we stood when Kafka had that no longer; None if there is none."""
    metadata: CommitMetadata | None
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
class StartPosition:
    """Where to begin, what to tell the ledger, and what to say."""

    offset: int
    reason: Reason
    """Code, for the log."""
    expected: int | None = None
    """What the ledger's next offset is, where it answers for all below it."""
    first_offset: int = 0
    """The first offset that the ledger has read, or will have."""
    finished: OffsetSet = ()
    """Finished before, though not by this ledger: not to be done again."""
    initial_partitions: int = 0
    """See `CommitMetadata.initial_partitions`."""
    ledger: str = ""
    """Name of the ledger that was asked."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Reason → offsets between the ledger's next and this one that will not be read."""
    recreated: bool = False
    """The ledger's next offset goes back: the partition is another one than before."""
    commit: bool = False
    """Commit this offset at once, so that whoever comes next begins here too."""


def choose_start(facts: PartitionState, reset: str) -> StartPosition | None:
    """Where to begin; None where the reset rule is `error` and nothing else decides."""
    if facts.known is not None and facts.known > facts.high:
        return _recreated(facts)
    if facts.committed is not None and facts.low <= facts.committed <= facts.high:
        return _at_commit(facts, facts.committed)
    if facts.known is not None:
        return _by_ledger(facts, facts.known, reset)
    if facts.committed is not None and facts.committed > facts.high:
        return _fresh(facts.low, "recreated")
    if facts.committed is None and facts.added:
        return _fresh(facts.low, "new_partition")
    where = _reset(facts, reset)
    if where is None:
        return None
    if facts.committed is None:
        return _fresh(where, "first_time")
    done = facts.metadata.finished if facts.metadata is not None else None
    return StartPosition(where, "out_of_range", first_offset=where, finished=above(done or (), where), commit=True)


def _recreated(facts: PartitionState) -> StartPosition:
    """Offsets have gone back. What is younger than the last record we had is new to us, so usually all of it.

    A partition that only lost its end comes to nearly where it was, or to its beginning if little is published: what is
    read again then is known by its ids.
    """
    offset = facts.low if facts.by_time is None else max(facts.low, min(facts.by_time, facts.high))
    return StartPosition(offset, "recreated", first_offset=offset, recreated=True, commit=True)


def _at_commit(facts: PartitionState, committed: int) -> StartPosition:
    metadata, known = facts.metadata, facts.known
    if metadata is None:
        skipped = _skipped(known, committed, "committed_by_others")
        return StartPosition(committed, "moved_ahead" if skipped else "committed", known, committed, skipped=skipped)
    if metadata.finished is not None:
        # All below is finished, whichever ledger did it, and even if that has lost its end.
        reason: Reason = "committed" if metadata.ledger == facts.ledger else "finished_elsewhere"
        skipped = _skipped(known, committed, "finished_before")
        return StartPosition(committed, reason, known, metadata.first_offset, metadata.finished, skipped=skipped)
    if metadata.ledger != facts.ledger:
        skipped = _skipped(known, committed, "committed_by_others")
        return StartPosition(committed, "ledger_replaced", known, committed, skipped=skipped)
    if known is not None and known >= committed:
        return StartPosition(committed, "committed", known, metadata.first_offset)
    # It has lost its end, or is an older copy of itself.
    wanted = metadata.first_offset if known is None else known
    offset = max(wanted, facts.low)
    skipped = {"expired": offset - wanted} if known is not None and offset > wanted else {}
    return StartPosition(offset, "ledger_behind", known, metadata.first_offset, skipped=skipped, commit=True)


def _by_ledger(facts: PartitionState, known: int, reset: str) -> StartPosition | None:
    """There is no commit that can be used: too old to be kept, or of a partition that is no more."""
    # Some records again cost nothing, as their ids are known. In a partition that was made anew and has got as far as
    # the old one, this is the beginning.
    wanted = known if facts.by_time is None else min(known, facts.by_time)
    if known >= facts.low:
        return StartPosition(max(wanted, facts.low), "commit_gone", known, wanted, commit=True)
    where = _reset(facts, reset)
    if where is None:
        return None
    lost = {"expired": facts.low - known, "passed_by_reset": where - facts.low}
    skipped = {reason: number for reason, number in lost.items() if number > 0}
    return StartPosition(where, "out_of_range", known, where, skipped=skipped, commit=True)


def _reset(facts: PartitionState, reset: str) -> int | None:
    return facts.low if reset in BEGINNING else facts.high if reset in END else None


def _fresh(offset: int, reason: Reason) -> StartPosition:
    # Committed at once: with `largest`, a restart before the first message would otherwise begin behind that one.
    return StartPosition(offset, reason, first_offset=offset, commit=True)


def _skipped(known: int | None, start: int, reason: str) -> dict[str, int]:
    return {reason: start - known} if known is not None and known < start else {}

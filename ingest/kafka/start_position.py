"""Where to begin to read a partition that was assigned, or whose offset Kafka no longer has: the rules, all of them.

A usable commit decides, unless the ledger has fallen behind it. Without one, the ledger's own next offset does; without
that too, the reset rule. A partition that was recreated begins at its beginning.

Pure functions: nothing is asked or stored here. A crash after a rule was applied leaves nothing behind except where the
start is committed at once (`StartPosition.commit`), so that the next consumer begins there too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ingest.kafka.commit_metadata import CommitMetadata
from ingest.kafka.offset_set import OffsetSet, drop_below

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
    """What Kafka and the ledger say of one partition."""

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
    ledger_next: int | None
    """The offset the ledger expects next; None if it has nothing of the partition."""
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


def choose_start(state: PartitionState, reset: str) -> StartPosition | None:
    """Where to begin; None where the reset rule `reset` is `error` and nothing else decides.

    Two numbers may say it: the group's commit and the ledger's next offset. Each may be missing, lie in what Kafka has
    (`low` to `high`), below it (the records have expired) or above it (it is of a partition that was recreated since).
    The first rule that applies counts, so the order matters: whoever knows most comes first.

    The invariant: a start may be too early, as the ledger knows by their ids the records it gets again; it is never too
    late without the offsets in between being counted in `skipped`, and logged.
    """
    committed, ledger_next = state.committed, state.ledger_next
    if ledger_next is not None and ledger_next > state.high:
        # Before the commit: one in a recreated partition may fit by chance, and would leave out what stands below it.
        return _recreated(state)
    if committed is not None and state.low <= committed <= state.high:
        return _at_commit(state, committed)
    # From here on no commit can be used: there is none, or Kafka does not have the offset any more.
    if ledger_next is not None:
        return _by_ledger(state, ledger_next, reset)
    # Nor has this ledger ever read the partition.
    if committed is not None and committed > state.high:
        return _fresh(state.low, "recreated")
    if committed is None and state.added:
        # Whatever the reset rule: all in it was published while the group was at work.
        return _fresh(state.low, "new_partition")
    offset = _reset(state, reset)
    if offset is None:
        return None
    if committed is None:
        return _fresh(offset, "first_time")
    finished = (state.metadata.finished if state.metadata is not None else None) or ()
    return StartPosition(
        offset, "out_of_range", first_offset=offset, finished=drop_below(finished, offset), commit=True
    )


def _recreated(state: PartitionState) -> StartPosition:
    """The offsets began again at 0. What is younger than the last record we had is new to us, so usually all of it.

    A partition that only lost its end comes to nearly where it was, or to its beginning if little is published: what is
    read again then is known by its ids.
    """
    offset = state.low if state.by_time is None else max(state.low, min(state.by_time, state.high))
    return StartPosition(offset, "recreated", first_offset=offset, recreated=True, commit=True)


def _at_commit(state: PartitionState, committed: int) -> StartPosition:
    """The commit lies in what Kafka has. What it is worth depends on who made it, which its metadata tells."""
    metadata, ledger_next = state.metadata, state.ledger_next
    if metadata is None:
        # Others made it, on purpose: the agent before us, or an operator. They answer for what lies below.
        skipped = _skipped(ledger_next, committed, "committed_by_others")
        return StartPosition(
            committed, "moved_ahead" if skipped else "committed", ledger_next, committed, skipped=skipped
        )
    if metadata.finished is not None:
        # All below is finished, whichever ledger did it, and even if that has lost its end.
        reason: Reason = "committed" if metadata.ledger == state.ledger else "finished_elsewhere"
        skipped = _skipped(ledger_next, committed, "finished_before")
        return StartPosition(committed, reason, ledger_next, metadata.first_offset, metadata.finished, skipped=skipped)
    if metadata.ledger != state.ledger:
        # A ledger that is no more answered for what lies below. To read all of that again would repeat what it had
        # delivered, so an operator decides (`longshore rebuild`).
        skipped = _skipped(ledger_next, committed, "committed_by_others")
        return StartPosition(committed, "ledger_replaced", ledger_next, committed, skipped=skipped)
    if ledger_next is not None and ledger_next >= committed:
        # The usual case. The ledger is ahead by what it had and nobody committed when the last consumer ended.
        return StartPosition(committed, "committed", ledger_next, metadata.first_offset)
    # This ledger had all below the commit, and does not any more: it has lost its end, or is an older copy of itself.
    # The commit is set back too. Otherwise what the ledger lacks would lie below the commit until it is read again, and
    # a ledger that is lost altogether meanwhile would never get it.
    next_offset = metadata.first_offset if ledger_next is None else ledger_next
    offset = max(next_offset, state.low)
    skipped = {"expired": offset - next_offset} if ledger_next is not None and offset > next_offset else {}
    return StartPosition(offset, "ledger_behind", ledger_next, metadata.first_offset, skipped=skipped, commit=True)


def _by_ledger(state: PartitionState, ledger_next: int, reset: str) -> StartPosition | None:
    """There is no commit that can be used: Kafka has dropped it, or it is of a partition that was recreated since."""
    # Some records again cost nothing, as their ids are known. In a partition that was recreated and has got as far as
    # the old one, this is the beginning.
    next_offset = ledger_next if state.by_time is None else min(ledger_next, state.by_time)
    if ledger_next >= state.low:
        return StartPosition(max(next_offset, state.low), "commit_gone", ledger_next, next_offset, commit=True)
    offset = _reset(state, reset)
    if offset is None:
        return None
    lost = {"expired": state.low - ledger_next, "passed_by_reset": offset - state.low}
    skipped = {reason: number for reason, number in lost.items() if number > 0}
    return StartPosition(offset, "out_of_range", ledger_next, offset, skipped=skipped, commit=True)


def _reset(state: PartitionState, reset: str) -> int | None:
    return state.low if reset in BEGINNING else state.high if reset in END else None


def _fresh(offset: int, reason: Reason) -> StartPosition:
    # Committed at once: with `largest`, a restart before the first message would otherwise begin behind that one.
    return StartPosition(offset, reason, first_offset=offset, commit=True)


def _skipped(ledger_next: int | None, start: int, reason: str) -> dict[str, int]:
    return {reason: start - ledger_next} if ledger_next is not None and ledger_next < start else {}

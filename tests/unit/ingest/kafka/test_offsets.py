"""Commits trail the ledger: never early, never for a partition that has gone."""

from collections.abc import Mapping

from ingest.kafka.commit_metadata import CommitMetadata, parse
from ingest.kafka.offsets import TrailingOffsets
from ingest.kafka.record import Partition
from ingest.kafka.start_position import StartPosition

PARTITION = ("org.runs", 0)
OTHER = ("org.runs", 1)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def committable(offsets: TrailingOffsets, assignment_ids: dict[Partition, int]) -> Mapping[Partition, int]:
    return {partition: commit.offset for partition, commit in offsets.committable(assignment_ids).items()}


def confirm(offsets: TrailingOffsets, assignment_ids: dict[Partition, int]) -> None:
    """Kafka takes what is ripe."""
    for partition, commit in offsets.committable(assignment_ids).items():
        offsets.on_committed(partition, commit)


def test_an_offset_ripens_for_the_whole_delay() -> None:
    """A second that Redis loses in a crash must still be unread for Kafka."""
    clock = Clock()
    offsets = TrailingOffsets(3, clock)
    offsets.on_stored(PARTITION, 1, 10, "ledger")

    clock.now += 2.9
    assert committable(offsets, {PARTITION: 1}) == {}
    clock.now += 0.1
    assert committable(offsets, {PARTITION: 1}) == {PARTITION: 10}


def test_the_latest_ripe_offset_is_committed() -> None:
    """One commit says it all; what is younger waits for its own time."""
    clock = Clock()
    offsets = TrailingOffsets(3, clock)
    offsets.on_stored(PARTITION, 1, 10, "ledger")
    offsets.on_stored(PARTITION, 1, 20, "ledger")
    clock.now += 2
    offsets.on_stored(PARTITION, 1, 30, "ledger")
    clock.now += 1

    assert committable(offsets, {PARTITION: 1}) == {PARTITION: 20}


def test_a_commit_is_repeated_until_kafka_confirms_it() -> None:
    """A rebalance makes commits fail; nobody has to keep a list of those."""
    offsets = TrailingOffsets(0, Clock())
    offsets.on_stored(PARTITION, 1, 10, "ledger")

    assert committable(offsets, {PARTITION: 1}) == {PARTITION: 10}
    assert committable(offsets, {PARTITION: 1}) == {PARTITION: 10}
    confirm(offsets, {PARTITION: 1})
    assert committable(offsets, {PARTITION: 1}) == {}


def test_a_revoked_partition_is_not_committed() -> None:
    """Another consumer may be further on; our offset would set it back."""
    offsets = TrailingOffsets(0, Clock())
    offsets.on_stored(PARTITION, 1, 10, "ledger")
    offsets.on_stored(OTHER, 2, 5, "ledger")
    offsets.on_revoked(PARTITION)

    assert committable(offsets, {OTHER: 2}) == {OTHER: 5}


def test_an_offset_from_before_a_rebalance_is_not_committed_after_it() -> None:
    """The partition came back, but others may have had it in between."""
    offsets = TrailingOffsets(0, Clock())
    offsets.on_stored(PARTITION, 1, 10, "ledger")

    assert committable(offsets, {PARTITION: 7}) == {}


def test_a_new_assignment_commits_again() -> None:
    """What was confirmed before the rebalance says nothing of what the group has now."""
    offsets = TrailingOffsets(0, Clock())
    offsets.on_stored(PARTITION, 1, 10, "ledger")
    confirm(offsets, {PARTITION: 1})
    offsets.on_revoked(PARTITION)
    offsets.on_stored(PARTITION, 2, 10, "ledger")

    assert committable(offsets, {PARTITION: 2}) == {PARTITION: 10}


def test_a_commit_says_which_ledger_has_it_and_since_when() -> None:
    """Whoever reads next can tell a ledger that has lost its end from another one."""
    offsets = TrailingOffsets(0, Clock())
    offsets.on_assigned(PARTITION, 1, StartPosition(7, "first_time", first_offset=7, initial_partitions=4))
    offsets.on_stored(PARTITION, 1, 10, "ledger")

    commit = offsets.committable({PARTITION: 1})[PARTITION]
    assert parse(commit.metadata, commit.offset) == CommitMetadata("ledger", first_offset=7, initial_partitions=4)


def test_where_nothing_was_committed_yet_the_beginning_is_at_once() -> None:
    """With `largest`, a restart before the first message would otherwise begin behind that message."""
    offsets = TrailingOffsets(3600, Clock())
    offsets.on_assigned(PARTITION, 1, StartPosition(7, "first_time", commit=True))

    assert committable(offsets, {PARTITION: 1}) == {PARTITION: 7}


def test_nothing_is_ripe_before_replicas_have_it() -> None:
    """However long ago it was stored."""
    clock = Clock()
    offsets = TrailingOffsets(3, clock, replicated=True)
    offsets.on_stored(PARTITION, 1, 10, "ledger")
    clock.now += 60
    assert committable(offsets, {PARTITION: 1}) == {}

    offsets.on_stored(PARTITION, 1, 20, "ledger")
    offsets.set_replicated_until(clock.now - 1)
    clock.now += 60
    assert committable(offsets, {PARTITION: 1}) == {PARTITION: 10}


def test_an_older_state_of_the_ledger_is_read_on_from_where_it_stands() -> None:
    """Even below what was committed, and that is committed too, so that Kafka tells the truth."""
    offsets = TrailingOffsets(0, Clock())
    start = StartPosition(5, "committed", first_offset=3, ledger="ledger")
    offsets.on_assigned(PARTITION, 1, start)
    offsets.on_stored(PARTITION, 1, 10, "ledger")
    confirm(offsets, {PARTITION: 1})

    back = offsets.restart_at(PARTITION, start, "ledger", 6)
    offsets.on_assigned(PARTITION, 2, back)

    assert (back.offset, back.expected, committable(offsets, {PARTITION: 2})) == (6, 6, {PARTITION: 6})
    assert offsets.restart_at(PARTITION, start, "ledger", None).offset == 3


def test_another_ledger_gets_what_was_not_committed() -> None:
    """To bring back more than that is an operator's decision: `longshore rebuild`."""
    offsets = TrailingOffsets(0, Clock())
    start = StartPosition(5, "committed", ledger="ledger")
    offsets.on_assigned(PARTITION, 1, start)
    assert offsets.restart_at(PARTITION, start, "another", None).offset == 5

    offsets.on_stored(PARTITION, 1, 10, "ledger")
    confirm(offsets, {PARTITION: 1})
    assert offsets.restart_at(PARTITION, start, "another", None).offset == 10

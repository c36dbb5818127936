"""Commits that name what is finished: never above what is not, and nothing that was known is forgotten."""

from ingest.kafka.commit_metadata import parse
from ingest.kafka.finished_offsets import FinishedOffsets
from ingest.kafka.offsets import ReadUnfinished
from ingest.kafka.record import KafkaRecord
from ingest.kafka.start_position import StartPosition

PARTITION = ("org.runs", 0)
ASSIGNMENT_IDS = {PARTITION: 1}


def assign(**more: object) -> FinishedOffsets:
    offsets = FinishedOffsets()
    offsets.on_assigned(PARTITION, 1, StartPosition(10, "committed", ledger="ledger", **more))  # type: ignore[arg-type]
    return offsets


def unfinished(*numbers: int, ledger: str = "ledger") -> ReadUnfinished:
    return lambda partitions: (ledger, {partition: list(numbers) for partition in partitions})


def committable(offsets: FinishedOffsets) -> tuple[int, tuple[tuple[int, int], ...]] | None:
    """The commit, and what its metadata names."""
    commit = offsets.committable(ASSIGNMENT_IDS).get(PARTITION)
    if commit is None:
        return None
    metadata = parse(commit.metadata, commit.offset)
    assert metadata is not None
    return commit.offset, metadata.finished or ()


def records(*numbers: int) -> list[KafkaRecord]:
    return [KafkaRecord(*PARTITION, offset, 0, b"", 1) for offset in numbers]


def test_nothing_is_committed_before_the_ledger_was_asked() -> None:
    """What is stored may still be unfinished."""
    offsets = assign()
    offsets.on_stored(PARTITION, 1, 20, "ledger")
    assert committable(offsets) is None

    offsets.refresh(unfinished(12, 15, 16))
    assert committable(offsets) == (12, ((13, 15), (17, 20)))


def test_what_is_read_but_stored_later_is_not_taken_for_finished() -> None:
    """The ledger does not know it yet, so it does not call it unfinished either."""
    offsets = assign()
    offsets.on_stored(PARTITION, 1, 20, "ledger")
    offsets.refresh(unfinished(25))

    assert committable(offsets) == (20, ())


def test_what_an_earlier_commit_named_stays_named_until_it_is_read_past() -> None:
    """The container may be killed again before it has read up to there."""
    offsets = assign(finished=((14, 30),))
    offsets.on_stored(PARTITION, 1, 12, "ledger")
    offsets.refresh(unfinished(11))
    assert committable(offsets) == (11, ((14, 30),))

    offsets.on_stored(PARTITION, 1, 14, "ledger")
    offsets.refresh(unfinished())
    assert committable(offsets) == (30, ())


def test_another_ledger_has_no_say() -> None:
    """A Redis that was replaced calls nothing unfinished because it knows nothing."""
    offsets = assign()
    offsets.on_stored(PARTITION, 1, 20, "ledger")
    offsets.refresh(unfinished(ledger="another"))

    assert committable(offsets) is None


def test_a_commit_is_made_once_until_more_is_finished() -> None:
    """The same offset with another metadata is another commit."""
    offsets = assign()
    offsets.on_stored(PARTITION, 1, 20, "ledger")
    offsets.refresh(unfinished(10, 12))
    offsets.on_committed(PARTITION, offsets.committable(ASSIGNMENT_IDS)[PARTITION])
    assert committable(offsets) is None

    offsets.refresh(unfinished(10))
    assert committable(offsets) == (10, ((11, 20),))


def test_a_partition_that_went_away_is_not_committed() -> None:
    """Others commit it now."""
    offsets = assign()
    offsets.on_stored(PARTITION, 1, 20, "ledger")
    offsets.refresh(unfinished())

    assert offsets.committable({}) == {}
    assert offsets.committable({PARTITION: 2}) == {}


def test_room_is_counted_with_what_was_stored_since_the_last_look() -> None:
    """Each of those may turn out to be unfinished, and any of them to be finished first."""
    offsets = assign()
    assert not offsets.find_full(records(10))

    offsets.on_stored(PARTITION, 1, 20_000, "ledger")
    assert not offsets.find_full(records(20_000))
    assert offsets.find_full(records(30_000)) == {PARTITION}
    offsets.refresh(unfinished(10))
    assert not offsets.find_full(records(30_000))


def test_a_ledger_that_lost_its_end_is_not_filled_below_the_commit() -> None:
    """There all is finished; and what is finished above is left out again."""
    offsets = assign()
    offsets.on_stored(PARTITION, 1, 20, "ledger")
    offsets.refresh(unfinished(15))
    offsets.on_committed(PARTITION, offsets.committable(ASSIGNMENT_IDS)[PARTITION])

    restart = offsets.restart_at(PARTITION, StartPosition(10, "committed", ledger="ledger"), "ledger", 12)
    assert (restart.offset, restart.finished, dict(restart.skipped)) == (15, ((16, 20),), {"finished_before": 3})


def test_a_partition_without_room_is_no_matter_of_the_others() -> None:
    """Each has metadata of its own."""
    offsets = assign()
    other = ("org.runs", 1)
    offsets.on_assigned(other, 2, StartPosition(0, "committed", ledger="ledger"))
    offsets.on_stored(PARTITION, 1, 20_000, "ledger")
    offsets.on_stored(other, 2, 5, "ledger")

    assert offsets.find_full([*records(30_000), KafkaRecord(*other, 5, 0, b"", 2)]) == {PARTITION}

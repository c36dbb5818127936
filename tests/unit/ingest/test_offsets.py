"""Commits trail the ledger: never early, never for a partition that has gone."""

from ingest.offsets import TrailingOffsets

PLACE = ("org.runs", 0)
OTHER = ("org.runs", 1)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_offset_ripens_for_the_whole_delay() -> None:
    """A second that Redis loses in a crash must still be unread for Kafka."""
    clock = Clock()
    offsets = TrailingOffsets(3, clock)
    offsets.stored(PLACE, 1, 10)

    clock.now += 2.9
    assert offsets.ripe({PLACE: 1}) == {}
    clock.now += 0.1
    assert offsets.ripe({PLACE: 1}) == {PLACE: 10}


def test_the_latest_ripe_offset_is_committed() -> None:
    """One commit says it all; what is younger waits for its own time."""
    clock = Clock()
    offsets = TrailingOffsets(3, clock)
    offsets.stored(PLACE, 1, 10)
    offsets.stored(PLACE, 1, 20)
    clock.now += 2
    offsets.stored(PLACE, 1, 30)
    clock.now += 1

    assert offsets.ripe({PLACE: 1}) == {PLACE: 20}


def test_a_commit_is_repeated_until_kafka_confirms_it() -> None:
    """A rebalance makes commits fail; nobody has to keep a list of those."""
    offsets = TrailingOffsets(0, Clock())
    offsets.stored(PLACE, 1, 10)

    assert offsets.ripe({PLACE: 1}) == {PLACE: 10}
    assert offsets.ripe({PLACE: 1}) == {PLACE: 10}
    offsets.committed(PLACE, 10)
    assert offsets.ripe({PLACE: 1}) == {}


def test_a_revoked_partition_is_not_committed() -> None:
    """Another consumer may be further on; our offset would set it back."""
    offsets = TrailingOffsets(0, Clock())
    offsets.stored(PLACE, 1, 10)
    offsets.stored(OTHER, 2, 5)
    offsets.forget(PLACE)

    assert offsets.ripe({OTHER: 2}) == {OTHER: 5}


def test_an_offset_from_before_a_rebalance_is_not_committed_after_it() -> None:
    """The partition came back, but others may have had it in between."""
    offsets = TrailingOffsets(0, Clock())
    offsets.stored(PLACE, 1, 10)

    assert offsets.ripe({PLACE: 7}) == {}


def test_a_new_assignment_commits_anew() -> None:
    """What was confirmed before the rebalance says nothing of what the group has now."""
    offsets = TrailingOffsets(0, Clock())
    offsets.stored(PLACE, 1, 10)
    offsets.committed(PLACE, 10)
    offsets.forget(PLACE)
    offsets.stored(PLACE, 2, 10)

    assert offsets.last_committed(PLACE) is None
    assert offsets.ripe({PLACE: 2}) == {PLACE: 10}

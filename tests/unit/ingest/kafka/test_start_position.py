"""Where a partition begins to be read: each case, and what it is told apart from."""

from dataclasses import replace
from typing import get_args

import pytest

from ingest.kafka.commit_metadata import CommitMetadata, parse
from ingest.kafka.start_position import PartitionState, Reason, StartPosition, choose_start
from ingest.kafka.start_resolver import EVENTS

OURS = CommitMetadata("ledger", first_offset=20, initial_partitions=4)

USUAL = PartitionState(
    low=0, high=100, committed=50, metadata=OURS, ledger="ledger", ledger_next=60, by_time=55, added=False
)  # fmt: skip
"""A restart: commits trail the ledger."""


def choose(reset: str = "earliest", **other: object) -> StartPosition:
    start = choose_start(replace(USUAL, **other), reset)  # type: ignore[arg-type]
    assert start is not None
    return start


def test_a_restart_begins_at_the_commit() -> None:
    """What the ledger has beyond it is recognised."""
    assert (choose().reason, choose().offset, choose().expected, choose().commit) == ("committed", 50, 60, False)


def test_a_ledger_behind_its_own_commit_has_rolled_back() -> None:
    """A lost end, a failover, a restored copy: read on from where it stands."""
    start = choose(ledger_next=30)

    assert (start.reason, start.offset, start.commit) == ("ledger_behind", 30, True)


def test_a_ledger_older_than_its_first_record_of_a_partition_begins_there() -> None:
    """It knows nothing of the partition, but its name is in the commit, and the offset at which it began."""
    assert choose(ledger_next=None).offset == OURS.first_offset


def test_what_a_rolled_back_ledger_needs_and_kafka_no_longer_has_is_counted() -> None:
    """As expired, so that the audit adds up."""
    start = choose(ledger_next=30, low=40)

    assert (start.offset, dict(start.skipped)) == (40, {"expired": 10})


def test_an_operators_reset_is_obeyed() -> None:
    """A commit without our metadata is somebody's deliberate choice, ahead or back."""
    ahead = choose(metadata=None, ledger_next=30)
    back = choose(metadata=None, committed=10)

    assert (ahead.reason, ahead.offset, dict(ahead.skipped)) == ("moved_ahead", 50, {"committed_by_others": 20})
    assert (back.offset, back.skipped) == (10, {})


def test_another_ledger_goes_on_at_the_commit() -> None:
    """What the old one had not delivered only a rebuild brings back, and the log says so."""
    assert (choose(ledger="new", ledger_next=None).reason, choose(ledger="new", ledger_next=None).offset) == (
        "ledger_replaced",
        50,
    )


def test_a_new_ledger_leaves_out_what_the_metadata_names_as_finished() -> None:
    """All below the commit is finished too, so it is nothing to worry about."""
    start = choose(ledger="new", ledger_next=None, metadata=replace(OURS, finished=((52, 54),)))

    assert (start.reason, start.offset, start.finished) == ("finished_elsewhere", 50, ((52, 54),))


def test_a_lost_end_is_not_read_again_where_commits_name_what_is_finished() -> None:
    """Below such a commit nothing is left to do."""
    assert choose(ledger_next=30, metadata=replace(OURS, finished=())).offset == 50


@pytest.mark.parametrize("reset", ["earliest", "largest"])
@pytest.mark.parametrize("committed", [None, 10])
def test_without_a_commit_the_ledgers_own_offset_is_better_than_the_reset_rule(
    reset: str, committed: int | None
) -> None:
    """As long as Kafka still has it; a few records more are recognised."""
    start = choose(reset, committed=committed, metadata=None, low=20)

    assert (start.reason, start.offset, start.expected, start.commit) == ("commit_gone", 55, 60, True)


@pytest.mark.parametrize(("reset", "offset", "passed"), [
    ("earliest", 80, {"expired": 20}),
    ("largest", 100, {"expired": 20, "passed_by_reset": 20}),
])  # fmt: skip
def test_where_kafka_has_neither_the_reset_rule_decides(reset: str, offset: int, passed: dict[str, int]) -> None:
    """And every offset that is passed is counted."""
    start = choose(reset, low=80)

    assert (start.reason, start.offset, dict(start.skipped)) == ("out_of_range", offset, passed)


@pytest.mark.parametrize("reset", ["earliest", "largest"])
@pytest.mark.parametrize("committed", [None, 3, 50])
def test_a_recreated_topic_begins_at_its_beginning(reset: str, committed: int | None) -> None:
    """Its offsets have gone back; that is neither a repeat nor a ledger ahead of itself."""
    start = choose(reset, high=5, ledger_next=60, by_time=0, committed=committed)

    assert (start.reason, start.offset, start.expected, start.recreated) == ("recreated", 0, None, True)


def test_a_log_that_lost_its_end_is_not_read_from_the_beginning() -> None:
    """Its records are older than what the ledger had last; only the youngest are read again."""
    assert choose(high=58, ledger_next=60, by_time=54).offset == 54


def test_a_recreated_topic_that_has_got_as_far_as_the_old_one_is_recognised_by_its_times() -> None:
    """All its records are younger than the last one of the old."""
    assert choose(committed=None, metadata=None, by_time=0).offset == 0


@pytest.mark.parametrize(("reset", "offset"), [("earliest", 0), ("largest", 100)])
def test_a_new_group_begins_where_the_reset_rule_says(reset: str, offset: int) -> None:
    """And commits that at once: a restart before the first message begins at the same place."""
    start = choose(reset, committed=None, metadata=None, ledger_next=None, by_time=None)

    assert (start.reason, start.offset, start.commit) == ("first_time", offset, True)


def test_an_added_partition_begins_at_its_beginning() -> None:
    """Whatever the reset rule: all of it came after the group had begun."""
    start = choose("largest", committed=None, metadata=None, ledger_next=None, by_time=None, added=True)

    assert (start.reason, start.offset) == ("new_partition", 0)


def test_the_reset_rule_error_leaves_it_to_a_person() -> None:
    """Nothing is read until somebody sets an offset."""
    assert choose_start(replace(USUAL, committed=None, metadata=None, ledger_next=None, by_time=None), "error") is None


@pytest.mark.parametrize(
    "text", [None, "", "x", "longshore/1 a", "longshore/1 a b c", "longshore/2 a 1 2", "a b c d e"]
)
def test_other_metadata_is_not_ours(text: str | None) -> None:
    """Anybody may commit for the group."""
    assert parse(text, 5) is None


@pytest.mark.parametrize("finished", [None, (), ((7, 9), (12, 20))])
def test_a_mark_survives_its_text(finished: tuple[tuple[int, int], ...] | None) -> None:
    """With and without what is finished."""
    metadata = CommitMetadata("0123456789ab", 3, 4, finished)

    assert parse(metadata.text(5), 5) == metadata


def test_all_but_the_usual_reasons_are_logged_as_events() -> None:
    """An operator hears of each start that skips or repeats something."""
    usual = {"committed", "finished_elsewhere", "first_time", "read_again"}

    assert set(get_args(Reason)) == usual | EVENTS.keys()

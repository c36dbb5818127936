"""A worker sums up what ended until its heartbeat takes it to the ledger."""

import pytest

from longshore.ledger.activity import latency_field, target_field
from longshore.ledger.states import State
from tasks.worker.activity_sums import MAX_FIELDS, ActivitySums


def test_what_ended_is_handed_over_once() -> None:
    """A retry is no end; a requeue has no latency."""
    sums = ActivitySums()
    for state in (State.DONE, State.DONE, State.DEAD, State.UNKNOWN, State.WAITING):
        sums.count_end("a", state, 40)
    sums.count_end("a", State.DONE)
    with sums.handing_over() as taken:
        expected = {target_field("a", State.DONE): 3, target_field("a", State.DEAD): 2, latency_field(40): 2}
        assert expected == taken
    assert sums.is_empty


def test_what_could_not_be_handed_over_stays() -> None:
    """Redis may be away for a while."""
    sums = ActivitySums()
    sums.count_end("a", State.DEAD)

    def hand_over_in_vain() -> None:
        with sums.handing_over():
            sums.count_end("a", State.DEAD)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        hand_over_in_vain()
    with sums.handing_over() as taken:
        assert {target_field("a", State.DEAD): 2} == taken


def test_many_targets_take_no_more_room() -> None:
    """Those beyond are counted without their names."""
    sums = ActivitySums()
    for number in range(MAX_FIELDS + 50):
        sums.count_end(f"t{number}", State.DEAD)
    with sums.handing_over() as taken:
        assert (MAX_FIELDS + 1, 50) == (len(taken), taken[target_field("", State.DEAD)])

"""The backpressure: Kafka is the buffer, so ingest stops while enough waits."""

import pytest
from structlog.testing import capture_logs

from ingest.backpressure import Backpressure
from longshore.log import events


def test_ingest_pauses_above_the_backlog_limit_and_resumes_below_nine_tenths() -> None:
    """Not at the limit itself, where it would flutter with each delivery."""
    backpressure = Backpressure(100, 0.8)

    states = []
    for waiting in (100, 101, 95, 90, 100, 101):
        backpressure.note_backlog(waiting)
        states.append(backpressure.is_closed)

    assert states == [False, True, True, False, False, True]


def test_ingest_pauses_while_redis_is_nearly_full() -> None:
    """What is accepted must still be finished, and that needs room."""
    backpressure = Backpressure(100, 0.8)

    states = []
    for share in (0.8, 0.81, 0.75, 0.72, 0.0):
        backpressure.note_memory(share)
        states.append(backpressure.is_closed)

    assert states == [False, True, True, False, False]


@pytest.mark.parametrize("order", [("backlog", "memory"), ("memory", "backlog")])
def test_both_must_be_well_to_resume(order: tuple[str, str]) -> None:
    """The end of one trouble is not the end of the other."""
    backpressure = Backpressure(100, 0.8)
    backpressure.note_backlog(200)
    backpressure.note_memory(0.9)

    well = {"backlog": lambda: backpressure.note_backlog(0), "memory": lambda: backpressure.note_memory(0.1)}
    well[order[0]]()
    assert backpressure.is_closed
    well[order[1]]()
    assert not backpressure.is_closed


def test_each_change_is_logged_once() -> None:
    """A pause of an hour is two lines."""
    backpressure = Backpressure(100, 0.8)
    with capture_logs() as lines:
        for waiting in (101, 150, 150, 10, 10):
            backpressure.note_backlog(waiting)

    assert [line["event"] for line in lines] == [events.INGEST_PAUSED.name, events.INGEST_RESUMED.name]

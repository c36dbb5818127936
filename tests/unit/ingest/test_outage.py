"""Outages: two lines in the log, however long, and no wait that holds up the end."""

import threading

from structlog.testing import capture_logs

from ingest.outage import Outage
from longshore.log import events


def test_an_outage_is_logged_when_it_begins_and_when_it_ends() -> None:
    """Every try in between is for those who debug."""
    outage = Outage(events.REDIS_OUTAGE, threading.Event(), first_wait_s=0, max_wait_s=0)
    with capture_logs() as lines:
        outage.end()
        for _ in range(3):
            outage.wait("connection refused")
        assert outage.is_on
        outage.end()

    names = [line["event"] for line in lines if line["log_level"] != "debug"]
    assert names == [events.REDIS_OUTAGE_STARTED.name, events.REDIS_OUTAGE_ENDED.name]
    assert not outage.is_on


def test_waits_grow_up_to_a_limit() -> None:
    """So that a dependency that comes up is not run over, and still found soon."""
    outage = Outage(events.REDIS_OUTAGE, _set(), first_wait_s=1, max_wait_s=4)
    with capture_logs() as lines:
        for _ in range(6):
            outage.wait("away")

    waits = [line["wait_s"] for line in lines if line["event"] == events.REDIS_OUTAGE_CONTINUED.name]
    assert 0.75 <= waits[0] <= 1.25
    assert 3 <= waits[-1] <= 5


def test_a_wait_that_was_asked_for_is_kept() -> None:
    """Port's Retry-After is not undercut."""
    outage = Outage(events.PORT_OUTAGE, _set())
    with capture_logs() as lines:
        outage.wait("slow down", min_wait_s=17)

    assert lines[-1]["wait_s"] == 17


def test_the_end_of_the_process_ends_the_wait() -> None:
    """SIGTERM while everything is away must not take longer than otherwise."""
    stop = threading.Event()
    outage = Outage(events.REDIS_OUTAGE, stop, first_wait_s=3600, max_wait_s=3600)
    waiting = threading.Thread(target=lambda: outage.wait("away"))
    waiting.start()
    stop.set()
    waiting.join(10)

    assert not waiting.is_alive()


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event

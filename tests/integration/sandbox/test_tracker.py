"""The sandbox tells from the ledger, the targets and the fake Port what became of each message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from longshore.invocation.kinds import Kind
from longshore.ledger.entry import AttemptEnd, Entry, OffsetRange
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.states import State
from longshore.sandbox.case import Case, expect_done
from longshore.sandbox.embedded_kafka import RecordPosition
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.tracker import NOT_READ, REPEATED, SKIPPED, TrackedMessage, Tracker
from tests.support.one_claim import begin_one, finish_one

KEYS = Keys.of("sandbox/test*[x]")
TOPIC = "sandbox.runs"


@pytest.fixture
def ledger(redis_client: redis.Redis) -> Ledger:
    return Ledger(redis_client, KEYS, Limits())


@pytest.fixture
def tracker(ledger: Ledger) -> Iterator[Tracker]:
    with FakePort() as port, FakeTargets() as targets:
        yield Tracker(ledger, port, targets)


def make_message(offset: int, run_id: str = "") -> TrackedMessage:
    return TrackedMessage(Case("a case", b"{}", expect_done(), run_id), RecordPosition(TOPIC, 0, offset))


def entry(id: str, offset: int, dead: str = "") -> Entry:
    return Entry(
        id=id,
        kind=Kind.ACTION_RUN,
        run=id,
        target="http://good:80",
        lane="http://good:80 deploy",
        synchronized=False,
        origin=f"{TOPIC}/0/{offset}",
        published_ms=1,
        mapping="m/0",
        payload=b"sealed",
        unknown_outcome="park",
        dead=dead,
    )


def read(ledger: Ledger, next_offset: int, *entries: Entry) -> None:
    ledger.accept([OffsetRange(TOPIC, 0, 0, next_offset)], entries, max_claims=0)


def test_a_message_nobody_has_read_is_still_in_kafka(tracker: Tracker) -> None:
    """Without a word in the ledger there is nothing to tell."""
    message = make_message(0, "r_1")
    tracker.update([message])

    assert NOT_READ == message.state


def test_a_run_is_followed_to_its_end(ledger: Ledger, tracker: Tracker) -> None:
    """Waiting, then delivered, with attempts, status and reason."""
    message = make_message(0, "r_1")
    read(ledger, 1, entry("r_1", 0))
    tracker.update([message])
    assert "waiting" == message.state

    ledger.heartbeat("worker", 10)
    (claim,), _ = ledger.pump()[:2]
    assert begin_one(ledger, claim.id, claim.token)
    finish_one(ledger, claim.id, claim.token, AttemptEnd(State.DONE, "delivered", 200))
    tracker.update([message])

    assert ("done", "delivered", 1, "200") == (message.state, message.reason, message.attempts, message.status)


def test_what_has_no_run_id_is_found_by_its_place(ledger: Ledger, tracker: Tracker) -> None:
    """Change log events and malformed runs have ids that only ingest knows."""
    first, second = make_message(0), make_message(1)
    read(ledger, 2, entry("made-up-1", 0, dead="malformed"), entry("made-up-2", 1))
    tracker.update([first, second])

    assert ("made-up-1", "dead", "malformed") == (first.id, first.state, first.reason)
    assert ("made-up-2", "waiting") == (second.id, second.state)


def test_what_was_read_and_not_kept_was_skipped(ledger: Ledger, tracker: Tracker) -> None:
    """The partition's next offset is past it, and there is no record."""
    message = make_message(3, "r_other_backend")
    read(ledger, 4)
    tracker.update([message])

    assert SKIPPED == message.state


def test_a_copy_is_told_from_its_original(ledger: Ledger, tracker: Tracker) -> None:
    """The record of its run came from another place."""
    original, copy = make_message(0, "r_1"), make_message(1, "r_1")
    read(ledger, 2, entry("r_1", 0), entry("r_1", 1))
    tracker.update([original, copy])

    assert ("waiting", REPEATED) == (original.state, copy.state)
    assert 1 == tracker.counts()["repeated_elsewhere"]


def test_a_run_at_port_is_shown_with_its_state(tracker: Tracker) -> None:
    """What Port heard counts, and that it heard nothing."""
    message, unreported = make_message(0, "r_1"), make_message(1, "r_2")
    tracker.port.add_run("r_1")
    tracker.update([message, unreported])

    assert ("IN_PROGRESS", None) == (message.port, unreported.port)

"""Records that some workers cannot read, and ledgers that this version cannot work with."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from longshore.delivery.target import lane_of
from longshore.errors import ConfigError, StoreUnavailable
from longshore.ledger import record
from longshore.ledger.entry import AttemptEnd
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import SCHEMA_VERSION
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.schema_version import check_schema_version
from longshore.ledger.seal import Sealer, Unsealable
from longshore.ledger.states import State
from longshore.operations.ledger_access import LedgerAccess
from tests.support.one_claim import begin_one, finish_one, release_one

from .conftest import entry, span, state, store

MakeLedger = Callable[..., Ledger]

PAUSE_MS = 10_000
"""After which a record that nobody reads is looked at again (dispatch.lua)."""


@pytest.fixture
def old(make_ledger: MakeLedger) -> Ledger:
    """As a program has it that reads format 1."""
    return make_ledger(reads=(1, 1))


@pytest.fixture
def new(make_ledger: MakeLedger) -> Ledger:
    """As a program of this version has it, which reads and writes formats 1 and 2."""
    return make_ledger(reads=(1, 2))


def format_of(ledger: Ledger, id: str) -> str:
    value: Any = ledger.redis.hget(ledger.keys.invocation(id), "format")
    return str(value.decode())


def later(ledger: Ledger, id: str, target: str = "http://a:80", action: str = "deploy") -> None:
    """The pause of a record that nobody could read is over."""
    lane = lane_of(target, action)
    ledger.redis.zincrby(ledger.keys.waiting(lane), -PAUSE_MS, id)
    ledger.redis.zadd(ledger.keys.lanes(target), {lane: 1})
    ledger.redis.zadd(ledger.keys.targets, {target: 1})


def store_as(ledger: Ledger, format: int, *ids: str, **more: Any) -> None:
    ledger.accept([span(0, len(ids))], [entry(id, format=format, **more) for id in ids], 0)


def test_the_highest_format_that_every_worker_reads_is_written(old: Ledger, new: Ledger) -> None:
    """The lowest without workers; what changed shows with the next batch, which costs no call of its own."""
    assert 1 == new.format
    new.heartbeat("new", 10)
    new.accept((), ())
    assert 2 == new.format
    old.heartbeat("old", 10)
    new.accept((), ())
    assert 1 == new.format
    old.heartbeat("old", 0)
    new.accept((), ())
    assert 2 == new.format
    new.heartbeat("new", 0)
    new.accept((), ())
    assert 1 == new.format


def test_a_worker_that_announces_nothing_reads_the_first_format(new: Ledger, client: "redis.Redis") -> None:
    """So did the versions before announcements."""
    new.heartbeat("new", 10)
    new.heartbeat("older", 10)
    client.hdel(new.keys.formats, "older")
    new.heartbeat("new", 10)
    new.accept((), ())

    assert 1 == new.format


def test_a_program_that_can_write_only_what_is_older_writes_that(old: Ledger, new: Ledger) -> None:
    """An ingest before its workers."""
    new.heartbeat("new", 10)
    store(old, entry("r_1"))

    assert "1" == format_of(old, "r_1")


def test_a_record_is_handed_out_only_while_somebody_reads_it(old: Ledger, new: Ledger) -> None:
    """It waits, uses no attempt and holds up nobody behind it."""
    store_as(new, 2, "r_new")
    store_as(old, 1, "r_old")
    old.heartbeat("old", 10)

    claims, _ = old.pump()[:2]
    assert ["r_old"] == [claim.id for claim in claims]
    assert ("waiting", 1) == (state(old, "r_new"), old.unreadable())

    new.heartbeat("new", 10)
    later(new, "r_new")
    claims, _ = old.pump()[:2]
    assert [("r_new", 2, 0)] == [(claim.id, claim.format, claim.attempts) for claim in claims]


def test_a_lane_full_of_what_nobody_reads_costs_little_at_a_time(old: Ledger, new: Ledger) -> None:
    """A call looks at some of them, and another lane goes on meanwhile."""
    store_as(new, 2, *(f"r_{n}" for n in range(500)))
    store_as(old, 1, "r_other", target="http://b:80", lane="http://b:80 deploy")
    old.heartbeat("old", 10)

    claims, _ = old.pump()[:2]
    assert ["r_other"] == [claim.id for claim in claims]
    assert 200 <= old.unreadable() <= 300
    for _ in range(2):
        old.pump()
    assert 500 == old.unreadable()


def test_a_worker_gives_back_what_it_cannot_read(old: Ledger, new: Ledger) -> None:
    """However it came to it: nothing has changed before, and no attempt is used."""
    store_as(new, 2, "r_1")
    new.heartbeat("new", 10)
    ((claim,), _) = new.pump()[:2]

    with pytest.raises(record.UnknownFormat, match="format 2"):
        begin_one(old, "r_1", claim.token)
    assert "claimed" == state(old, "r_1")
    assert release_one(old, "r_1", claim.token, 5_000)
    assert ((), ()) == new.pump()[:2]
    later(new, "r_1")
    ((again,), _) = new.pump()[:2]
    assert 0 == again.attempts
    assert begin_one(new, "r_1", again.token) is not None


def test_reports_of_a_record_wait_for_a_sender_that_reads_it(old: Ledger, new: Ledger, client: "redis.Redis") -> None:
    """A type of report that an older sender does not know would be dropped by it."""
    new.heartbeat("new", 10)
    store_as(new, 2, "r_1")
    ((claim,), _) = new.pump()[:2]
    assert begin_one(new, "r_1", claim.token) is not None
    finish_one(new, "r_1", claim.token, AttemptEnd(State.DONE, "delivered", 200, reports=(b"Zsealed",)))

    assert [] == ReportOutbox(old).lease(10, 1_000)
    client.zadd(new.keys.outbox, {"r_1": 1})
    assert [(b"Zsealed",)] == [taken.items for taken in ReportOutbox(new).lease(10, 1_000)]


@pytest.mark.parametrize(("layout", "word"), [(SCHEMA_VERSION + 1, "newer"), (SCHEMA_VERSION - 1, "older")])
def test_a_ledger_of_another_layout_is_refused_with_the_remedy(ledger: Ledger, layout: int, word: str) -> None:
    """At the start."""
    check_schema_version(ledger.redis, ledger.keys)
    ledger.redis.hset(ledger.keys.clock, "layout", layout)

    with pytest.raises(ConfigError, match=f"{word} version.*docs/how-to/upgrade"):
        check_schema_version(ledger.redis, ledger.keys)


def test_programs_that_run_while_the_layout_changes_wait_as_for_redis(ledger: Ledger, make_ledger: MakeLedger) -> None:
    """None of their scripts changes anything."""
    store(ledger, entry("r_1"))
    ledger.redis.hset(ledger.keys.clock, "layout", SCHEMA_VERSION + 1)

    with pytest.raises(StoreUnavailable, match="LAYOUT"):
        ledger.pump()
    with pytest.raises(StoreUnavailable, match="LAYOUT"):
        store(ledger, entry("r_2"))
    assert ("waiting", "") == (state(ledger, "r_1"), state(ledger, "r_2"))
    claims, _ = make_ledger(layout=SCHEMA_VERSION + 1).pump()[:2]
    assert ["r_1"] == [claim.id for claim in claims]


def test_a_new_ledger_takes_the_layout_of_its_first_program(make_ledger: MakeLedger, client: "redis.Redis") -> None:
    """And one from before there was such a word counts as the first."""
    ledger = make_ledger()
    check_schema_version(client, ledger.keys)
    ledger.heartbeat("worker-1", 1)
    assert str(SCHEMA_VERSION).encode() == client.hget(ledger.keys.clock, "layout")


def test_a_message_of_another_format_says_so_to_people(new: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that it was altered, or sealed with another secret."""
    store_as(new, 2, "r_1", dead="bad_signature")
    monkeypatch.setattr(record, "READS", range(1, 2))

    with pytest.raises(Unsealable, match="another version"):
        LedgerAccess.build(new, Sealer("secret")).invocations.payload("r_1")

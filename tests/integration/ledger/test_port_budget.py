"""The fleet's budget of calls to the Port API: reports beyond it wait, and run logs give way to statuses."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis

from longshore.invocation.kinds import Kind
from longshore.invocation.report_kinds import ReportKind
from longshore.ledger.ledger import Ledger
from longshore.ledger.report_outbox import ReportOutbox
from longshore.port.api_calls import build_calls
from longshore.port.reports import by_script
from tests.support.one_claim import ack_one

from .conftest import entry, store


def fill(ledger: Ledger, count: int, reports: Sequence[bytes]) -> None:
    """Puts dead letters into the ledger, whose reports are due at once."""
    store(ledger, *(entry(f"r_{n}", dead="bad_url", reports=tuple(reports)) for n in range(count)))


def test_a_second_of_calls_may_be_made_at_once_and_no_more(make_ledger: Callable[..., Ledger]) -> None:
    """Two calls an invocation, at four calls a second: two invocations, whoever asks."""
    ledger, other = make_ledger(port_rate=4), make_ledger(port_rate=4)
    fill(ledger, 10, [b"Lfailed", b"SFAILURE"])

    assert 2 == len(ReportOutbox(ledger).lease(10, 60_000))
    assert [] == ReportOutbox(other).lease(10, 60_000)


@pytest.mark.parametrize(
    ("kind", "runs"),
    [(ReportKind.DEAD_LETTER, 2), (ReportKind.LOST_ENDED, 2), (ReportKind.LOST, 4), (ReportKind.WAITING, 4)],
)
def test_a_report_of_a_script_draws_as_many_calls_as_are_made_of_it(
    make_ledger: Callable[..., Ledger], kind: ReportKind, runs: int
) -> None:
    """The sender puts it into words: a line in the log, and where the run ends, its status too."""
    ledger = make_ledger(port_rate=4)
    text = "full 3 0 0" if kind is ReportKind.WAITING else "poison"
    reports = by_script(kind, text, Kind.ACTION_RUN, kind is ReportKind.LOST_ENDED, "why")
    calls = build_calls(Kind.ACTION_RUN, "r_0", reports)
    fill(ledger, 10, [f"{kind}{text}".encode()])

    assert runs * len(calls) == 4
    assert runs == len(ReportOutbox(ledger).lease(10, 60_000))


def test_the_budget_comes_back_with_time(make_ledger: Callable[..., Ledger], client: "redis.Redis") -> None:
    """What was drawn a second ago is free again."""
    ledger = make_ledger(port_rate=4)
    fill(ledger, 10, [b"Lfailed", b"SFAILURE"])
    ReportOutbox(ledger).lease(10, 60_000)
    client.set(ledger.keys.port_budget, ledger.clock_ms() - 1)

    assert 2 == len(ReportOutbox(ledger).lease(10, 60_000))


def test_a_budget_drawn_in_a_wrong_future_does_not_stop_reports_for_long(
    make_ledger: Callable[..., Ledger], client: "redis.Redis"
) -> None:
    """The clock of Redis's machine was set back by a day: a minute at most, and the key goes by itself."""
    ledger = make_ledger(port_rate=4)
    fill(ledger, 3, [b"SFAILURE"])
    ReportOutbox(ledger).lease(1, 60_000)
    assert 0 < client.pttl(ledger.keys.port_budget) <= 120_000


def test_without_a_rate_there_is_no_budget(make_ledger: Callable[..., Ledger]) -> None:
    """0 switches it off."""
    ledger = make_ledger(port_rate=0)
    fill(ledger, 200, [b"Lfailed", b"SFAILURE"])

    assert 200 == len(ReportOutbox(ledger).lease(500, 60_000))


def late(ledger: Ledger, client: "redis.Redis") -> None:
    """Makes everything in the outbox older than a minute."""
    due = ledger.clock_ms() - 61_000
    waiting: Any = client.zrange(ledger.keys.outbox, 0, -1)
    for id in waiting:
        client.zadd(ledger.keys.outbox, {id: due})


def test_run_logs_are_dropped_before_statuses_once_reports_are_a_minute_late(
    make_ledger: Callable[..., Ledger], client: "redis.Redis"
) -> None:
    """Twice as many runs get their end told; what only had logs costs no call at all."""
    ledger = make_ledger(port_rate=4)
    fill(ledger, 10, [b"Lfailed", b"Nfailed", b"Ranswer", b"SFAILURE"])
    store(ledger, *(entry(f"a_{n}", dead="bad_url", reports=(b"Lonly",)) for n in range(10)))
    late(ledger, client)

    taken = ReportOutbox(ledger).lease(10, 60_000)
    assert [(b"Ranswer", b"SFAILURE")] * 2 == [one.items for one in taken]
    assert b"16" == client.hget(ledger.keys.counts, "reports_shed")
    assert ack_one(ledger, taken[0])
    assert not client.exists(ledger.keys.reports(taken[0].id)), "nothing is left of what was dropped"


def test_few_late_reports_lose_no_log(make_ledger: Callable[..., Ledger], client: "redis.Redis") -> None:
    """Nobody was there to send them; the budget is not what they wait for."""
    ledger = make_ledger(port_rate=40)
    fill(ledger, 10, [b"Lfailed", b"SFAILURE"])
    late(ledger, client)

    assert {(b"Lfailed", b"SFAILURE")} == {one.items for one in ReportOutbox(ledger).lease(10, 60_000)}


def test_a_late_status_is_never_dropped(make_ledger: Callable[..., Ledger], client: "redis.Redis") -> None:
    """All of them come through, one second's budget after the other."""
    ledger = make_ledger(port_rate=5)
    fill(ledger, 23, [b"Lfailed", b"SFAILURE"])
    told: set[str] = set()
    for _ in range(20):
        late(ledger, client)
        for taken in ReportOutbox(ledger).lease(10, 60_000):
            told.add(taken.id)
            assert b"SFAILURE" in taken.items
            ack_one(ledger, taken)
        client.delete(ledger.keys.port_budget)

    assert 23 == len(told)

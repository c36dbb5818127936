"""Runs that wait long are told once what is ahead of them; who waits for nothing but a turn costs nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from longshore.invocation.kinds import Kind
from longshore.ledger.ledger import Ledger
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.target_control import TargetControl
from longshore.ledger.targets import TargetControls

from .conftest import entry, store

TARGET = "http://a:80"
LANE = f"{TARGET} deploy"
HOUR_MS = 3_600_000

Make = Callable[..., Ledger]


@pytest.fixture
def make(make_ledger: Make) -> Make:
    def made(**numbers: float) -> Ledger:
        ledger = make_ledger(**({"forecast": HOUR_MS} | numbers))
        ledger.heartbeat("worker-1", 1000)
        return ledger

    return made


def put(ledger: Ledger, count: int, action: str = "deploy", **more: Any) -> None:
    lane = f"{TARGET} {action}"
    store(ledger, *(entry(f"{action}-{n}", lane=lane, **more) for n in range(count)))


def hour_passes(ledger: Ledger, action: str = "deploy") -> None:
    """Whatever waits in this lane has done so for an hour more; what was put in first stays first."""
    lane = f"{TARGET} {action}"
    waiting: Any = ledger.redis.zrange(ledger.keys.waiting(lane), 0, -1, withscores=True)
    for place, (id, score) in enumerate(waiting):
        ledger.redis.zadd(ledger.keys.waiting(lane), {id: int(score) - HOUR_MS - 1000 + place})


def look(ledger: Ledger, most: int = 100) -> int:
    """The time of every look has come; looks at targets lead to looks at their lanes."""
    told = 0
    for _ in range(2):
        members: Any = ledger.redis.zrange(ledger.keys.forecast, 0, -1)
        for member in members:
            ledger.redis.zadd(ledger.keys.forecast, {member: 1})
        told += ReportOutbox(ledger).add_waits(most - told, 0) if told < most else 0
    return told


def lines(ledger: Ledger, id: str) -> list[str]:
    """What Port is to hear about waiting: why, how many ahead, at which pace; without the time."""
    return [item[1:].rpartition(" ")[0] for item in told_to_port(ledger, id)]


def told_to_port(ledger: Ledger, id: str) -> list[str]:
    """The lines about waiting as they are."""
    items: Any = ledger.redis.lrange(ledger.keys.reports(id), 0, -1)
    return [item.decode() for item in items if item[:1] == b"F"]


def test_a_paused_target_tells_each_run_how_many_are_ahead_once(make: Make) -> None:
    """Not before they have waited long, and not a second time."""
    ledger = make()
    TargetControls(ledger.redis, ledger.keys, ledger.limits).set(TARGET, "", TargetControl(paused=True))
    put(ledger, 3)
    assert ((), ()) == ledger.pump()[:2]

    assert 0 == look(ledger)
    hour_passes(ledger)
    assert 3 == look(ledger)
    assert 0 == look(ledger)
    assert [["paused 0 0"], ["paused 1 0"], ["paused 2 0"]] == [lines(ledger, f"deploy-{n}") for n in range(3)]


def test_those_that_come_later_are_told_later(make: Make) -> None:
    """Each after its own wait, although the lane has been looked at."""
    ledger = make()
    TargetControls(ledger.redis, ledger.keys, ledger.limits).set(TARGET, "", TargetControl(paused=True))
    put(ledger, 2)
    ledger.pump()
    hour_passes(ledger)
    look(ledger)
    store(ledger, entry("later", lane=LANE, offset=7))
    assert 0 == look(ledger)
    hour_passes(ledger)
    # The clock of the first two went on as well, which by itself is no new wait.
    ledger.redis.hset(
        ledger.keys.reported_waits, LANE, b"|".join([b"%d" % score_of(ledger, "deploy-1"), b"0", b"0", b"1"])
    )

    assert 1 == look(ledger)
    assert ["paused 2 0"] == lines(ledger, "later")
    assert 1 == len(lines(ledger, "deploy-0"))


def score_of(ledger: Ledger, id: str) -> int:
    score: Any = ledger.redis.zscore(ledger.keys.waiting(LANE), id)
    return int(score)


def test_a_rate_gives_pace_and_time_over_all_lanes_that_share_it(make: Make) -> None:
    """Lanes take turns, so a short one beside a long one goes twice as slowly, not to the end of it."""
    ledger = make(rate=2)
    put(ledger, 20)
    put(ledger, 3, "other", offset=100)
    ledger.pump()
    for action in ("deploy", "other"):
        hour_passes(ledger, action)
    waiting: Any = ledger.redis.zcard(ledger.keys.waiting(f"{TARGET} other"))

    assert look(ledger) > 20
    last = [int(line.split()[1]) for n in range(3) for line in lines(ledger, f"other-{n}")][-1]
    assert (waiting - 1) + waiting == last
    assert all(" 2" in line for n in range(20) for line in lines(ledger, f"deploy-{n}"))
    [told] = told_to_port(ledger, "deploy-19")
    ahead, at_ms = int(told.split()[1]), int(told.split()[3])
    assert abs(at_ms - ledger.clock_ms() - ahead * 500) < 60_000


def test_a_full_target_is_told_at_the_pace_that_was_seen(make: Make) -> None:
    """Without a rate there is nothing else to go by; one start in ten seconds, for two who wait."""
    ledger = make(target=1)
    put(ledger, 4)
    ledger.pump()
    ledger.pump()
    hour_passes(ledger)

    assert 0 == look(ledger)
    # One starts before the second look, ten seconds later.
    gone: Any = ledger.redis.zpopmin(ledger.keys.waiting(LANE), 1)
    text: Any = ledger.redis.hget(ledger.keys.reported_waits, LANE)
    begun = text.rpartition(b"|")[0] + b"|%d" % (ledger.clock_ms() - 10_000)
    ledger.redis.hset(ledger.keys.reported_waits, LANE, begun)
    assert 2 == look(ledger)

    assert [b"deploy-1"] == [id for id, _ in gone]
    [told] = lines(ledger, "deploy-3")
    assert ("pace", "1") == tuple(told.split()[:2])
    assert 0.05 < float(told.split()[2]) <= 0.1


def test_an_open_breaker_is_told_with_its_end(make: Make) -> None:
    """When it is tried again."""
    ledger = make()
    put(ledger, 2)
    till = ledger.clock_ms() + 50_000
    ledger.redis.hset(ledger.keys.gates, f"b:{LANE}", f"5|{till}|60000|0|")
    ledger.pump()
    hour_passes(ledger)
    look(ledger)

    [told] = told_to_port(ledger, "deploy-1")
    assert f"Fopen 1 0 {till}" == told


def test_change_log_events_and_closed_runs_are_told_nothing(make: Make) -> None:
    """Port hears nothing of the first, and nothing more of the second."""
    ledger = make()
    TargetControls(ledger.redis, ledger.keys, ledger.limits).set(TARGET, "", TargetControl(paused=True))
    put(ledger, 1, kind=Kind.CHANGE_LOG)
    put(ledger, 1, "other", offset=10)
    ledger.redis.hset(ledger.keys.invocation("other-0"), "closed", "1")
    ledger.pump()
    hour_passes(ledger)
    hour_passes(ledger, "other")

    assert 0 == look(ledger)


def test_what_does_not_wait_for_its_target_leaves_no_trace(make: Make) -> None:
    """Nothing to look at, nothing stored; nor with the forecast switched off."""
    ledger = make()
    put(ledger, 50)
    assert 50 == len(ledger.pump()[0])
    assert 0 == ledger.redis.exists(ledger.keys.forecast, ledger.keys.reported_waits)

    silent = make(forecast=0, target=1)
    put(silent, 3, "other", offset=100)
    silent.pump()
    assert 0 == silent.redis.exists(silent.keys.forecast)


def test_a_call_writes_only_so_many_lines_and_the_next_goes_on(make: Make) -> None:
    """A backlog of a hundred thousand must not use up the budget for calls to Port."""
    ledger = make()
    TargetControls(ledger.redis, ledger.keys, ledger.limits).set(TARGET, "", TargetControl(paused=True))
    put(ledger, 10)
    ledger.pump()
    hour_passes(ledger)

    assert 4 == look(ledger, most=4)
    assert 6 == look(ledger) + look(ledger)
    assert all(1 == len(lines(ledger, f"deploy-{n}")) for n in range(10))


def test_nothing_is_left_once_the_lane_is_empty(make: Make) -> None:
    """Lanes come from payloads, so their number has no natural end."""
    ledger = make(target=1)
    put(ledger, 2)
    ledger.pump()
    ledger.pump()
    look(ledger)
    ledger.redis.delete(ledger.keys.waiting(LANE))
    look(ledger)

    assert 0 == ledger.redis.exists(ledger.keys.forecast, ledger.keys.reported_waits)


def test_run_logs_are_taken_with_the_forecast_among_them(make: Make) -> None:
    """It is a log line: it makes no call of its own beside others."""
    ledger = make()
    TargetControls(ledger.redis, ledger.keys, ledger.limits).set(TARGET, "", TargetControl(paused=True))
    put(ledger, 1, reports=(b"Lsealed",))
    ledger.pump()
    hour_passes(ledger)
    look(ledger)

    [taken] = ReportOutbox(ledger).lease(10, 1000)
    assert [b"L", b"F"] == [item[:1] for item in taken.items]

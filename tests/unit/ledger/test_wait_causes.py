"""What waiting invocations are said to wait for."""

import math
from collections import Counter

from longshore.ledger.breaker import Breaker
from longshore.ledger.target_control import TargetControl
from longshore.ledger.wait_causes import LaneQueue, Throttle, count_causes, startable_by_rate

NOW = 1_000_000


def throttle(busy: int = 0, most: int = 100, gate: TargetControl | None = None, breaker: str = "") -> Throttle:
    return Throttle(busy, most, gate or TargetControl(), Breaker.parse(breaker.encode()))


def waits(target: Throttle, *lanes: LaneQueue, rate: float = math.inf) -> Counter[str]:
    return +count_causes(target, lanes, rate, NOW)


def test_what_nothing_holds_back_waits_for_slots() -> None:
    """That is what more workers would help."""
    assert {"slots": 7, "retry": 3} == waits(throttle(), LaneQueue(throttle(), 10, 7))


def test_a_pause_holds_back_all_that_is_due() -> None:
    """Of the target, or of a lane alone."""
    paused = TargetControl(paused=True)
    assert {"paused": 7} == waits(throttle(gate=paused), LaneQueue(throttle(), 7, 7))
    assert {"paused": 7, "slots": 2} == waits(
        throttle(), LaneQueue(throttle(gate=paused), 7, 7), LaneQueue(throttle(), 2, 2)
    )


def test_an_open_breaker_lets_nothing_go_and_then_a_probe() -> None:
    """Half open it lets one go; ramping up, some."""
    assert {"breaker": 7} == waits(throttle(breaker=f"5|{NOW + 1}|1|0|"), LaneQueue(throttle(), 7, 7))
    assert {"breaker": 6, "slots": 1} == waits(throttle(breaker=f"5|{NOW - 1}|1|0|"), LaneQueue(throttle(), 7, 7))
    assert {"breaker": 7} == waits(throttle(busy=1, breaker=f"5|{NOW - 1}|1|0|r_1"), LaneQueue(throttle(), 7, 7))
    assert {"breaker": 4, "slots": 3} == waits(
        throttle(busy=1, breaker=f"0|{NOW - 1}|1|4|"), LaneQueue(throttle(), 7, 7)
    )


def test_failures_that_have_not_opened_a_breaker_hold_nothing_back() -> None:
    """It only counts them."""
    assert {"slots": 7} == waits(throttle(breaker="3|0|0|0|"), LaneQueue(throttle(), 7, 7))


def test_a_full_lane_leaves_the_targets_other_lanes_their_room() -> None:
    """And the target has an own limit over all of them."""
    full = LaneQueue(throttle(busy=50, most=50), 7, 7)
    assert {"concurrency": 7, "slots": 2} == waits(throttle(busy=50), full, LaneQueue(throttle(), 2, 2))
    assert {"concurrency": 8, "slots": 1} == waits(throttle(busy=99), full, LaneQueue(throttle(), 2, 2))


def test_a_rate_lets_so_many_start_and_no_more() -> None:
    """Counted from its next free start, and a tick ahead."""
    assert {"rate": 5, "slots": 2} == waits(
        throttle(), LaneQueue(throttle(), 7, 7), rate=startable_by_rate(10, NOW, NOW, 100)
    )
    assert {"rate": 7} == waits(throttle(), LaneQueue(throttle(), 7, 7), rate=startable_by_rate(1, NOW + 900, NOW, 200))
    assert math.inf == startable_by_rate(0, NOW + 900, NOW, 200)

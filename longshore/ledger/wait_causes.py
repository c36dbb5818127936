"""What the waiting invocations of one target wait for, by the rules of `scripts/dispatch.lua`; claims none of them."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from longshore.ledger.breaker import Breaker
from longshore.ledger.target_control import TargetControl


@dataclass(frozen=True, slots=True)
class Throttle:
    """What is in flight to a target or in one of its lanes, and what holds more of it back."""

    in_flight: int
    concurrency: int
    """Maximum in flight at once."""
    control: TargetControl
    breaker: Breaker


@dataclass(frozen=True, slots=True)
class LaneQueue:
    """A lane with what waits in it."""

    throttle: Throttle
    waiting: int
    due: int
    """Those of them whose time has come."""
    awaiting_turn: int = 0
    """Those of them that wait behind others of their order."""


def count_causes(target: Throttle, lanes: Sequence[LaneQueue], startable: float, now_ms: int) -> Counter[str]:
    """Cause → how many of a target's waiting invocations wait for it. `startable`: starts its rate allows now.

    Each counts for the first limit that holds it back: of its lane, then of its target, then the rate, then free slots.
    """
    causes: Counter[str] = Counter()
    free = 0
    for lane in lanes:
        causes["order"] += lane.awaiting_turn
        causes["retry"] += lane.waiting - lane.due - lane.awaiting_turn
        free += _pass(lane.throttle, lane.due, now_ms, causes)
    free = _pass(target, free, now_ms, causes)
    within_rate = free if startable >= free else int(startable)
    causes["rate"] += free - within_rate
    causes["slots"] += within_rate
    return causes


def startable_by_rate(rate: float, next_start_ms: float, now_ms: int, ahead_ms: int) -> float:
    """How many may start by the rate (per second; 0: no limit), the next of them not before `next_start_ms`.

    `ahead_ms` is `Limits.ahead`: so early one may be claimed.
    """
    if rate == 0:
        return math.inf
    left_ms = now_ms + ahead_ms - max(next_start_ms, now_ms)
    return 0 if left_ms < 0 else math.floor(left_ms * rate / 1000) + 1


def _pass(throttle: Throttle, count: int, now_ms: int, causes: Counter[str]) -> int:
    """How many of `count` get through `throttle`; counts the others in `causes`."""
    if throttle.control.paused:
        causes["paused"] += count
        return 0
    by_breaker = throttle.breaker.room_beside(throttle.in_flight, now_ms)
    if by_breaker is not None:
        causes["breaker"] += max(0, count - by_breaker)
        count = min(count, by_breaker)
    free = max(0, throttle.concurrency - throttle.in_flight)
    causes["concurrency"] += max(0, count - free)
    return min(count, free)

"""What the waiting invocations of one target wait for, by the rules of `scripts/claim.lua`; hands none out."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from longshore.store.breaker import Breaker
from longshore.store.targets import Gate


@dataclass(frozen=True, slots=True)
class Place:
    """A target, or one of its lanes: what is in flight there, and what holds it back."""

    busy: int
    most: int
    """In flight at once."""
    gate: Gate
    breaker: Breaker


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane with what waits in it."""

    place: Place
    waiting: int
    due: int
    """Those of them whose time has come."""


def causes(target: Place, lanes: Sequence[Lane], rate_room: float, now_ms: int) -> Counter[str]:
    """Cause → how many of a target's waiting invocations wait for it. `rate_room`: starts its rate allows now."""
    found: Counter[str] = Counter()
    free = 0
    for lane in lanes:
        found["retry"] += lane.waiting - lane.due
        free += _through(lane.place, lane.due, now_ms, found)
    free = _through(target, free, now_ms, found)
    allowed = free if rate_room >= free else int(rate_room)
    found["rate"] += free - allowed
    found["slots"] += allowed
    return found


def rate_room(rate: float, start_ms: float, now_ms: int, ahead_ms: int) -> float:
    """How many may start by the rate (per second; 0: no limit), the next of them not before `start_ms`."""
    if rate == 0:
        return math.inf
    left_ms = now_ms + ahead_ms - max(start_ms, now_ms)
    return 0 if left_ms < 0 else math.floor(left_ms * rate / 1000) + 1


def _through(place: Place, count: int, now_ms: int, found: Counter[str]) -> int:
    """How many of `count` `place` would let start; the rest is put down to its cause."""
    if place.gate.paused:
        found["paused"] += count
        return 0
    by_breaker = place.breaker.room_beside(place.busy, now_ms)
    if by_breaker is not None:
        found["breaker"] += max(0, count - by_breaker)
        count = min(count, by_breaker)
    room = max(0, place.most - place.busy)
    found["concurrency"] += max(0, count - room)
    return min(count, room)

"""The three round trips of a fleet snapshot: totals and names, the lanes of each target, what waits in each lane."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis

from longshore.ledger import clock
from longshore.ledger.due_scores import NEVER_MS, due_ms, last_due_score
from longshore.ledger.keys import Keys
from longshore.ledger.known_names import KnownNames
from longshore.ledger.target_control import Controls
from longshore.ledger.text import decode

MAX_TARGETS = 1000
"""Targets that are read, those with something in flight first."""
MAX_LANES = 2000
MAX_LANES_OF_TARGET = 200

FIELDS_PER_COMMAND = 1000
"""Asked of one hash at once: bounds how long a command holds Redis."""


class Lane(NamedTuple):
    """A lane and its target."""

    target: bytes
    name: bytes


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of the whole ledger, as Redis has them, and the names of targets and lanes."""

    leased: int
    workers: int
    dead: int
    unknown: int
    reports: int
    orders: int
    """How many orders there are."""
    oldest_report: list[tuple[bytes, float]]
    """One, or none: an invocation, and since when it has unsent reports (ms)."""
    port_budget: bytes | None
    audit_result: bytes | None
    slots: list[bytes]
    counts: dict[bytes, bytes]
    memory: dict[str, Any]
    now_ms: int
    names: KnownNames


@dataclass(frozen=True, slots=True)
class LaneHead:
    """How much waits in a lane, how much of it is due, for how long its oldest has been due; how much awaits a turn."""

    lane: bytes
    waiting: int
    due: int
    age_s: float
    awaiting_turn: int


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits in each lane, what holds targets and lanes back, and when each target may have its next start (ms)."""

    heads: list[LaneHead]
    controls: Controls
    starts: dict[bytes, bytes | None]


def read_totals(client: "redis.Redis", keys: Keys) -> Totals:
    """The first round trip."""
    pipe = client.pipeline(transaction=False)
    clock.ask(pipe, keys)
    for key in (keys.leases, keys.fleet, keys.dead, keys.unknown, keys.outbox_since, keys.orders):
        pipe.zcard(key)
    pipe.zrange(keys.outbox_since, 0, 0, withscores=True)
    pipe.get(keys.port_budget)
    pipe.get(keys.audit_result)
    pipe.hvals(keys.slots)
    pipe.hgetall(keys.counts)
    pipe.info("memory")
    KnownNames.ask(pipe, keys)
    time, clock_fields, *answers = pipe.execute()
    # Queued in the order of the fields of `Totals`, and behind them those of `KnownNames`, which are the last five.
    fields: list[Any] = [*answers[:-5], clock.read((time, clock_fields)), KnownNames(*answers[-5:])]
    return Totals(*fields)


def read_lanes(client: "redis.Redis", keys: Keys, names: KnownNames) -> tuple[list[bytes], list[Lane]]:
    """The second round trip: the targets, and the lanes of each in which something may wait."""
    targets = names.targets()[:MAX_TARGETS]
    controlled_lanes = names.lanes()
    pipe = client.pipeline(transaction=False)
    for target in targets:
        pipe.zrange(keys.lanes(decode(target)), 0, MAX_LANES_OF_TARGET - 1)
    lanes = [
        Lane(target, lane)
        for target, waiting_lanes in zip(targets, pipe.execute(), strict=True)
        for lane in sorted({*waiting_lanes, *controlled_lanes.get(target, ())})
    ]
    return targets, lanes[:MAX_LANES]


def read_queues(
    client: "redis.Redis", keys: Keys, targets: Sequence[bytes], lanes: Sequence[Lane], totals: Totals, late_ms: int
) -> Queues:
    """The third round trip. `late_ms` is `Limits.late`."""
    now_ms = totals.now_ms
    pages = list(_pages(Controls.fields([*targets, *(lane.name for lane in lanes)])))
    pipe = client.pipeline(transaction=False)
    for lane in lanes:
        key = keys.waiting(decode(lane.name))
        pipe.zcard(key)
        pipe.zcount(key, "-inf", last_due_score(now_ms, late_ms))
        pipe.zrange(key, 0, 0, withscores=True)
        if totals.orders:
            pipe.zcount(key, NEVER_MS, "+inf")
    for page in pages:
        pipe.hmget(keys.gates, page)
    if targets:
        pipe.hmget(keys.starts, targets)
    # Read in the order in which they were queued: three or four for each lane, one for each page, one for all targets.
    answers = iter(pipe.execute())
    heads = [
        LaneHead(
            lane.name,
            waiting=next(answers),
            due=next(answers),
            age_s=_age_s(next(answers), now_ms, late_ms),
            awaiting_turn=next(answers) if totals.orders else 0,
        )
        for lane in lanes
    ]
    texts = {field: text for page in pages for field, text in zip(page, next(answers), strict=True) if text}
    starts = dict(zip(targets, next(answers), strict=True)) if targets else {}
    return Queues(heads, Controls(texts), starts)


def _pages(fields: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(fields), FIELDS_PER_COMMAND):
        yield fields[start : start + FIELDS_PER_COMMAND]


def _age_s(head: list[tuple[bytes, float]], now_ms: int, late_ms: int) -> float:
    return max(0.0, (now_ms - due_ms(head[0][1], late_ms)) / 1000) if head else 0.0

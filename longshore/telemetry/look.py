"""One look at the ledger: what is true of the whole fleet now, in three round trips, however much there is.

The targets and lanes looked at are bounded, and of what waits only numbers and heads are read, never records.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain

import redis

from longshore.store import clock
from longshore.store.breaker import Breaker
from longshore.store.connection import reaching_store
from longshore.store.due_scores import due_ms, last_due_score
from longshore.store.keys import Keys
from longshore.store.limits import Limits
from longshore.store.targets import PAGE, Gate
from longshore.telemetry.waits import Lane, Place, causes, rate_room

MOST_TARGETS = 1000
"""Looked at, beginning with those that have something in flight."""
MOST_LANES = 2000
LANES_OF_TARGET = 200

_SUSPECTS = b"!suspects"


@dataclass(frozen=True, slots=True)
class Target:
    """One target as it stands. Ages in seconds, 0 without anything due."""

    name: str
    waiting: int
    in_flight: int
    oldest_s: float
    paused: bool
    breakers: int
    """Its own and its lanes', those that are not closed."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What was seen."""

    backlog: int
    waiting: Counter[str]
    """Cause → how many; what was not looked at is `uncounted`."""
    in_flight: int
    workers: int
    slots: int
    dead: int
    unknown: int
    reports: int
    report_age_s: float
    budget_used: float
    memory: int
    memory_limit: int
    counts: dict[str, int]
    audited: bytes | None
    now_ms: int
    targets: list[Target] = field(default_factory=list)

    @property
    def oldest_s(self) -> float:
        """For how long the one that waits longest has been due."""
        return max((target.oldest_s for target in self.targets), default=0.0)


def look(client: "redis.Redis", keys: Keys, limits: Limits) -> Fleet:
    """Looks once. Raises StoreUnavailable."""
    with reaching_store():
        return _Look(client, keys, limits).fleet()


class _Look:
    def __init__(self, client: "redis.Redis", keys: Keys, limits: Limits) -> None:
        self._client = client
        self._keys = keys
        self._limits = limits

    def fleet(self) -> Fleet:
        keys = self._keys
        pipe = self._client.pipeline(transaction=False)
        clock.ask(pipe, keys)
        for key in (keys.leased, keys.fleet, keys.dead, keys.unknown, keys.outbox_since):
            pipe.zcard(key)
        pipe.zrange(keys.outbox_since, 0, 0, withscores=True)
        pipe.get(keys.port_budget)
        pipe.get(keys.audited)
        pipe.hvals(keys.slots)
        for key in (keys.counts, keys.target_busy, keys.lane_busy):
            pipe.hgetall(key)
        pipe.zrange(keys.targets, 0, MOST_TARGETS - 1)
        pipe.zrange(keys.said, 0, MOST_TARGETS - 1)
        pipe.zrevrange(keys.used, 0, MOST_TARGETS - 1)
        pipe.info("memory")
        time, last, leased, workers, dead, unknown, reports, *more = pipe.execute()
        oldest, budget, audited, slots, *more = more
        counts, busy_targets, busy_lanes, visited, said, used, memory = more
        self._now_ms = clock.read((time, last))
        self._busy: dict[bytes, bytes] = {**busy_targets, **busy_lanes}
        self._workers = int(workers)
        counted = {name.decode(): int(value) for name, value in counts.items()}
        backlog = max(0, counted.get("backlog", 0))
        waiting, targets = self._targets([*busy_targets, *visited], [*said, *used], set(busy_lanes))
        waiting["uncounted"] = max(0, backlog - waiting.total())
        drawn_ms = float(budget or 0) - self._now_ms
        return Fleet(
            backlog=backlog,
            waiting=waiting,
            in_flight=int(leased),
            workers=self._workers,
            slots=sum(map(int, slots)),
            dead=int(dead),
            unknown=int(unknown),
            reports=int(reports),
            report_age_s=max(0.0, (self._now_ms - oldest[0][1]) / 1000) if oldest else 0.0,
            budget_used=min(1.0, max(0.0, drawn_ms / 1000)) if self._limits.port_rate else 0.0,
            memory=int(memory.get("used_memory", 0)),
            memory_limit=int(memory.get("maxmemory", 0)),
            counts=counted,
            audited=audited,
            now_ms=self._now_ms,
            targets=targets,
        )

    def _targets(
        self, active: list[bytes], named: list[bytes], busy_lanes: set[bytes]
    ) -> tuple[Counter[str], list[Target]]:
        """Whatever waits is in a lane that has its turn, has something in flight, or is named by a gate."""
        lanes_of: dict[bytes, set[bytes]] = {}
        for lane in (name for name in {*named, *busy_lanes} if b" " in name):
            lanes_of.setdefault(lane.partition(b" ")[0], set()).add(lane)
        known = [*active, *(name for name in named if b" " not in name), *sorted(lanes_of)]
        targets = [name for name in dict.fromkeys(known) if name][:MOST_TARGETS]
        pipe = self._client.pipeline(transaction=False)
        for name in targets:
            pipe.zrange(self._keys.lanes(name.decode()), 0, LANES_OF_TARGET - 1)
        lanes = [
            (target, lane)
            for target, listed in zip(targets, pipe.execute() if targets else (), strict=True)
            for lane in sorted({*listed, *lanes_of.get(target, ())})
        ][:MOST_LANES]
        return self._counted(targets, lanes)

    def _counted(self, targets: list[bytes], lanes: list[tuple[bytes, bytes]]) -> tuple[Counter[str], list[Target]]:
        pipe = self._client.pipeline(transaction=False)
        for _, lane in lanes:
            key = self._keys.waiting(lane.decode())
            pipe.zcard(key)
            pipe.zcount(key, "-inf", last_due_score(self._now_ms, self._limits.late))
            pipe.zrange(key, 0, 0, withscores=True)
        names = [*targets, *(lane for _, lane in lanes)]
        fields = [voice + name for name in names for voice in (b"o:", b"m:", b"b:")]
        for start in range(0, len(fields), PAGE):
            pipe.hmget(self._keys.gates, fields[start : start + PAGE])
        if targets:
            pipe.hmget(self._keys.starts, targets)
        answers = pipe.execute()
        found, texts = answers[: 3 * len(lanes)], chain.from_iterable(answers[3 * len(lanes) :])
        self._gates = {field: text for field, text in zip(fields, texts, strict=False) if text}
        self._starts = dict(zip(targets, texts, strict=True))
        inside: dict[bytes, list[tuple[Lane, float]]] = {target: [] for target in targets}
        for (target, lane), waiting, due, head in zip(lanes, found[::3], found[1::3], found[2::3], strict=True):
            most = max(1, self._workers) if lane.endswith(_SUSPECTS) else self._limits.lane
            inside[target].append((Lane(self._place(lane, most), waiting, due), self._age_s(head)))
        causes_of_all: Counter[str] = Counter()
        seen = []
        for target, within in inside.items():
            place = self._place(target, self._limits.target)
            rate = rate_room(self._rate(target), float(self._starts[target] or 0), self._now_ms, self._limits.ahead)
            causes_of_all += causes(place, [lane for lane, _ in within], rate, self._now_ms)
            open_ones = [one for one in (place, *(lane.place for lane, _ in within)) if not one.breaker.is_closed]
            seen.append(
                Target(
                    name=target.decode(),
                    waiting=sum(lane.waiting for lane, _ in within),
                    in_flight=place.busy,
                    oldest_s=max((age for _, age in within), default=0.0),
                    paused=place.gate.paused,
                    breakers=len(open_ones),
                )
            )
        return causes_of_all, seen

    def _place(self, name: bytes, most: int) -> Place:
        own, mapping = Gate.read(self._gates.get(b"o:" + name)), Gate.read(self._gates.get(b"m:" + name))
        limit = next((one for one in (own.concurrency, mapping.concurrency) if one is not None), most)
        return Place(int(self._busy.get(name, 0)), limit, own, Breaker.read(self._gates.get(b"b:" + name)))

    def _rate(self, target: bytes) -> float:
        own, mapping = Gate.read(self._gates.get(b"o:" + target)), Gate.read(self._gates.get(b"m:" + target))
        return next((one for one in (own.rate, mapping.rate) if one is not None), self._limits.rate)

    def _age_s(self, head: list[tuple[bytes, float]]) -> float:
        if not head:
            return 0.0
        return max(0.0, (self._now_ms - due_ms(head[0][1], self._limits.late)) / 1000)

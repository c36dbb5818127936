"""Targets and lanes as they stand: what waits, what is in flight, what holds them back; an operator's word on them."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis

from longshore.store import clock
from longshore.store.breaker import Breaker, BreakerStatus
from longshore.store.connection import reaching_store
from longshore.store.due_scores import due_ms
from longshore.store.keys import Keys
from longshore.store.limits import Limits
from longshore.store.scripts import Script

PAGE = 1000
"""Of a long list, read at once."""
MOST_TARGETS, MOST_LANES = 1000, 1000
"""Looked at: as many targets, and as many lanes of one."""

Voice = Literal["operator", "mapping"]
"""Whose word a gate is; an operator's is the stronger one."""


@dataclass(frozen=True, slots=True)
class Gate:
    """An operator's word, or a mapping's, on a target or a lane; None says nothing."""

    paused: bool = False
    rate: float | None = None
    """Starts per second."""
    concurrency: int | None = None
    """Most in flight at once."""

    def json(self) -> str:
        """For the scripts: only what is said."""
        said: dict[str, Any] = {"paused": True} if self.paused else {}
        if self.rate is not None:
            said["rate"] = self.rate
        if self.concurrency is not None:
            said["concurrency"] = self.concurrency
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def read(cls, text: bytes | None) -> "Gate":
        """What `json` wrote; nothing for None."""
        said = json.loads(text) if text else {}
        return cls(bool(said.get("paused")), said.get("rate"), said.get("concurrency"))


@dataclass(frozen=True, slots=True)
class Line:
    """A target (`lane` empty) or one of its lanes. Times in ms since 1970, 0 for none."""

    target: str
    lane: str
    waiting: int
    in_flight: int
    oldest_due_ms: int
    """When the one that waits longest was due."""
    gate: Gate
    mapping: Gate
    breaker: BreakerStatus
    failures: int
    open_until_ms: int


class Targets:
    """Reads and sets gates. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, limits: Limits) -> None:
        self._redis = client
        self._keys = keys
        self._limits = limits.packed()
        self._late_ms = limits.late
        self._set_gate = Script.named("set_gate")

    def set(self, target: str, lane: str, gate: Gate, close_breaker: bool = False, whose: Voice = "operator") -> None:
        """A word on `target`, or on `lane` of it, from now on; an empty gate takes it back."""
        with reaching_store():
            closes = "1" if close_breaker else ""
            self._set_gate.run(
                self._redis.execute_command,
                self._keys.prefix,
                *(self._limits, target, lane, gate.json(), closes, whose[0]),
            )

    def gate(self, name: str) -> Gate:
        """The operator's word on the target or lane `name`."""
        with reaching_store():
            said: Any = self._redis.hget(self._keys.gates, f"o:{name}")
        return Gate.read(said)

    def of_mapping(self, names: Iterable[str]) -> dict[str, Gate]:
        """The mapping's word on each of `names` that it has one on; used now, it stays for a while."""
        asked = list(names)
        if not asked:
            return {}
        now_ms = clock.now_ms(self._redis, self._keys)
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(self._keys.used, dict.fromkeys(asked, now_ms), xx=True)
            pipe.hmget(self._keys.gates, [f"m:{name}" for name in asked])
            _, found = pipe.execute()
        return {name: Gate.read(said) for name, said in zip(asked, found, strict=True) if said}

    def all_of_mapping(self) -> dict[str, Gate]:
        """The mapping's word on every target that it has one on; read a page at a time."""
        with reaching_store():
            found = list(self._redis.hscan_iter(self._keys.gates, match="m:*", count=PAGE))
        return {name[2:].decode(): Gate.read(said) for name, said in found}

    def names(self) -> list[str]:
        """Every target that something waits for or is in flight to; read a page at a time."""
        with reaching_store():
            visited = [name for name, _ in self._redis.zscan_iter(self._keys.targets, count=PAGE)]
            busy: Any = self._redis.hkeys(self._keys.target_busy)
        return sorted(name.decode() for name in {*visited, *busy})

    def lines(self, only: Collection[str] = ()) -> Iterator[Line]:
        """Targets with something waiting, in flight or said of them, each followed by its lanes; or these targets.

        At most `MOST_TARGETS` of a kind: those whose turn it is, and those that were used last.
        """
        keys = self._keys
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            clock.ask(pipe, keys)
            pipe.hgetall(keys.target_busy)
            pipe.hgetall(keys.lane_busy)
            pipe.zrange(keys.targets, 0, MOST_TARGETS - 1)
            pipe.zrange(keys.said, 0, MOST_TARGETS - 1)
            pipe.zrevrange(keys.used, 0, MOST_TARGETS - 1)
            time, last, busy_targets, busy_lanes, visited, said, used = pipe.execute()
        now_ms = clock.read((time, last))
        named = {*said, *used}
        lanes_named: dict[bytes, set[bytes]] = {}
        for lane in (name for name in named | set(busy_lanes) if b" " in name):
            lanes_named.setdefault(lane.partition(b" ")[0], set()).add(lane)
        known = {*busy_targets, *visited, *lanes_named, *(name for name in named if b" " not in name)} - {b""}
        for target in sorted(name.encode() for name in only) or sorted(known):
            with reaching_store():
                listed: Any = self._redis.zrange(keys.lanes(target.decode()), 0, MOST_LANES - 1)
            lanes = sorted({*listed, *lanes_named.get(target, ())})
            of_lanes, gates = self._within(target, lanes)
            counted = [
                self._said(target, lane, *found, int(busy_lanes.get(lane, 0)), gates, now_ms)
                for lane, found in zip(lanes, of_lanes, strict=True)
            ]
            waiting = sum(lane.waiting for lane in counted)
            oldest = min((lane.oldest_due_ms for lane in counted if lane.oldest_due_ms), default=0)
            yield self._said(target, b"", waiting, oldest, int(busy_targets.get(target, 0)), gates, now_ms)
            yield from counted

    def _within(self, target: bytes, lanes: Sequence[bytes]) -> tuple[list[tuple[int, int]], dict[bytes, bytes]]:
        """Of each lane how many wait and since when (ms); and what is said of all of them."""
        fields = [voice + name for name in (target, *lanes) for voice in (b"o:", b"m:", b"b:")]
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(self._keys.gates, fields)
            for lane in lanes:
                pipe.zcard(self._keys.waiting(lane.decode()))
                pipe.zrange(self._keys.waiting(lane.decode()), 0, 0, withscores=True)
            gates, *found = pipe.execute()
        heads = [int(due_ms(head[0][1], self._late_ms)) if head else 0 for head in found[1::2]]
        return list(zip(found[::2], heads, strict=True)), {
            field: text for field, text in zip(fields, gates, strict=True) if text
        }

    def _said(
        self,
        target: bytes,
        lane: bytes,
        waiting: int,
        oldest_ms: int,
        busy: int,
        gates: Mapping[bytes, bytes],
        now_ms: int,
    ) -> Line:
        name = lane or target
        breaker = Breaker.read(gates.get(b"b:" + name))
        return Line(
            target=target.decode(),
            lane=lane.decode(),
            waiting=waiting,
            in_flight=busy,
            oldest_due_ms=oldest_ms,
            gate=Gate.read(gates.get(b"o:" + name)),
            mapping=Gate.read(gates.get(b"m:" + name)),
            breaker=breaker.status(now_ms),
            failures=breaker.failures,
            open_until_ms=breaker.until_ms,
        )

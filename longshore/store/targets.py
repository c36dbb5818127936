"""Targets and lanes as they stand: what waits, what is in flight, what holds them back; an operator's word on them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import redis

from longshore.store import clock
from longshore.store.connection import reaching_store
from longshore.store.keys import Keys
from longshore.store.limits import Limits
from longshore.store.scripts import Script

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
    breaker: str
    """`closed`, `failing`, `open`, `half open` or `ramping`."""
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

    def of_mapping(self) -> dict[str, Gate]:
        """The mapping's word on every target that it has one on."""
        with reaching_store():
            gates: Any = self._redis.hgetall(self._keys.gates)
        return {name[2:].decode(): Gate.read(said) for name, said in gates.items() if name.startswith(b"m:")}

    def names(self) -> list[str]:
        """Every target that something waits for or is in flight to."""
        with reaching_store():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zrange(self._keys.targets, 0, -1)
            pipe.hkeys(self._keys.target_busy)
            visited, busy = pipe.execute()
        return sorted(name.decode() for name in {*visited, *busy})

    def lines(self) -> Iterator[Line]:
        """Every target with something waiting, in flight or said of it, each followed by its lanes."""
        with reaching_store():
            gates: Any = self._redis.hgetall(self._keys.gates)
            busy_targets: Any = self._redis.hgetall(self._keys.target_busy)
            busy_lanes: Any = self._redis.hgetall(self._keys.lane_busy)
            visited: Any = self._redis.zrange(self._keys.targets, 0, -1)
        now_ms = clock.now_ms(self._redis, self._keys)
        named = {name[2:] for name in gates}
        lanes_named = {name for name in named | set(busy_lanes) if b" " in name}
        targets = set(busy_targets) | set(visited) | {name.partition(b" ")[0] for name in named}
        for target in sorted(targets - {b""}):
            with reaching_store():
                listed: Any = self._redis.zrange(self._keys.lanes(target.decode()), 0, -1)
            of_target = {lane for lane in lanes_named if lane.partition(b" ")[0] == target}
            lanes = [
                self._line(target, lane, int(busy_lanes.get(lane, 0)), gates, now_ms)
                for lane in sorted(set(listed) | of_target)
            ]
            waiting = sum(lane.waiting for lane in lanes)
            oldest = min((lane.oldest_due_ms for lane in lanes if lane.oldest_due_ms), default=0)
            yield self._said(target, b"", waiting, int(busy_targets.get(target, 0)), oldest, gates, now_ms)
            yield from lanes

    def _line(self, target: bytes, lane: bytes, busy: int, gates: Any, now_ms: int) -> Line:
        with reaching_store():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zcard(self._keys.waiting(lane.decode()))
            pipe.zrange(self._keys.waiting(lane.decode()), 0, 0, withscores=True)
            waiting, head = pipe.execute()
        return self._said(target, lane, waiting, busy, self._due(head[0][1]) if head else 0, gates, now_ms)

    def _due(self, score: float) -> int:
        # A retry's score is its due time, the head start of first attempts, and half a ms (scripts/common.lua).
        return int(score) if score % 1 == 0 else int(score) - self._late_ms

    def _said(
        self, target: bytes, lane: bytes, waiting: int, busy: int, oldest_ms: int, gates: Any, now_ms: int
    ) -> Line:
        name = lane or target
        failures, till, _, room, _ = (gates.get(b"b:" + name) or b"0|0|0|0|").split(b"|", 4)
        return Line(
            target=target.decode(),
            lane=lane.decode(),
            waiting=waiting,
            in_flight=busy,
            oldest_due_ms=oldest_ms,
            gate=Gate.read(gates.get(b"o:" + name)),
            mapping=Gate.read(gates.get(b"m:" + name)),
            breaker=_breaker(int(failures), int(till), int(room), now_ms),
            failures=int(failures),
            open_until_ms=int(till),
        )


def _breaker(failures: int, till_ms: int, room: int, now_ms: int) -> str:
    if till_ms == 0:
        return "failing" if failures else "closed"
    if till_ms > now_ms:
        return "open"
    return "ramping" if room else "half open"

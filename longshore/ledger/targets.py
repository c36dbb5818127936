"""An operator's and a mapping's words on targets and lanes, set and read; and how these stand."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import redis

from longshore.ledger import clock
from longshore.ledger.connection import reaching_store
from longshore.ledger.keys import Keys
from longshore.ledger.known_names import MAX_NAMES
from longshore.ledger.limits import Limits
from longshore.ledger.scripts import Script
from longshore.ledger.target_control import ControlSource, TargetControl
from longshore.ledger.target_status import StatusReader, TargetStatus

PAGE = 1000
"""Of a long list, read at once."""


class TargetControls:
    """Reads and sets gates. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, limits: Limits) -> None:
        self._redis = client
        self._keys = keys
        self._limits = limits.packed()
        self._statuses = StatusReader(client, keys, limits.late)
        self._set_control = Script.named("set_control")

    def set(
        self,
        target: str,
        lane: str,
        gate: TargetControl,
        close_breaker: bool = False,
        whose: ControlSource = "operator",
    ) -> None:
        """A word on `target`, or on `lane` of it, from now on; an empty gate takes it back."""
        with reaching_store():
            closes = "1" if close_breaker else ""
            self._set_control.run(
                self._redis.execute_command,
                self._keys.prefix,
                *(self._limits, target, lane, gate.json(), closes, whose[0]),
            )

    def gate(self, name: str) -> TargetControl:
        """The operator's word on the target or lane `name`."""
        with reaching_store():
            said: Any = self._redis.hget(self._keys.gates, f"o:{name}")
        return TargetControl.read(said)

    def of_mapping(self, names: Iterable[str]) -> dict[str, TargetControl]:
        """The mapping's word on each of `names` that it has one on; used now, it stays for a while."""
        asked = list(names)
        if not asked:
            return {}
        now_ms = clock.now_ms(self._redis, self._keys)
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(self._keys.used, dict.fromkeys(asked, now_ms), xx=True)
            pipe.hmget(self._keys.gates, [f"m:{name}" for name in asked])
            _, found = pipe.execute()
        return {name: TargetControl.read(said) for name, said in zip(asked, found, strict=True) if said}

    def all_of_mapping(self) -> dict[str, TargetControl]:
        """The mapping's word on every target that it has one on; read a page at a time."""
        with reaching_store():
            found = list(self._redis.hscan_iter(self._keys.gates, match="m:*", count=PAGE))
        return {name[2:].decode(): TargetControl.read(said) for name, said in found}

    def names(self) -> list[str]:
        """Every target that something waits for or is in flight to; read a page at a time."""
        with reaching_store():
            visited = [name for name, _ in self._redis.zscan_iter(self._keys.targets, count=PAGE)]
            busy: Any = self._redis.hkeys(self._keys.target_busy)
        return sorted(name.decode() for name in {*visited, *busy})

    def controlled_names(self) -> list[str]:
        """Targets and lanes that an operator said something of, and those with a mapping's word or a breaker.

        Of the second kind at most `MAX_NAMES`, used last first. A name may come twice.
        """
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            pipe.zrange(self._keys.said, 0, -1)
            pipe.zrevrange(self._keys.used, 0, MAX_NAMES - 1)
            controlled, used = pipe.execute()
        return [name.decode("utf-8", "replace") for name in (*controlled, *used)]

    def lines(self, only: Collection[str] = ()) -> Iterator[TargetStatus]:
        """How targets and lanes stand: see `StatusReader.lines`."""
        return self._statuses.lines(only)

    def waiting_reasons(self, lanes: Sequence[str]) -> dict[str, str]:
        """Lane → reason code of the last invocation that waits there, for those of `lanes` where that is a retry.

        Retries stand behind first attempts of their time (`due_scores`), so there usually is one where any waits.
        """
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            for lane in lanes:
                pipe.zrevrange(self._keys.waiting(lane), 0, 0)
            last = [(lane, ids[0]) for lane, ids in zip(lanes, pipe.execute(), strict=True) if ids]
            for _, id in last:
                pipe.hget(self._keys.invocation(id.decode("utf-8", "surrogatepass")), "reason")
            reasons = pipe.execute()
        return {lane: reason.decode() for (lane, _), reason in zip(last, reasons, strict=True) if reason}

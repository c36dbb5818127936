"""The controls of operators and mappings on targets and lanes, set and read; and the status of these."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import redis

from longshore.ledger import clock
from longshore.ledger.connection import reaching_store
from longshore.ledger.due_scores import NEVER_MS
from longshore.ledger.keys import Keys
from longshore.ledger.known_names import MAX_NAMES
from longshore.ledger.limits import Limits
from longshore.ledger.scripts import Script
from longshore.ledger.target_control import Controls, ControlSource, Hold, TargetControl
from longshore.ledger.target_status import StatusReader, TargetStatus
from longshore.ledger.text import decode, encode

PAGE = 1000
"""Fields of a hash read at once."""


class TargetControls:
    """Reads and sets controls. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, limits: Limits) -> None:
        self._redis = client
        self._keys = keys
        self._limits = limits.packed()
        self._statuses = StatusReader(client, keys, limits.late)
        self._set_control = Script.get("set_control")

    def set(
        self,
        target: str,
        lane: str,
        control: TargetControl,
        close_breaker: bool = False,
        source: ControlSource = "operator",
    ) -> None:
        """Controls `target`, or `lane` of it, from now on; an empty control removes the one there is."""
        with reaching_store():
            self._set_control.run(
                self._redis.execute_command,
                self._keys.prefix,
                *(self._limits, target, lane, control.to_json(), "1" if close_breaker else "", source[0]),
            )

    def operator_control(self, name: str) -> TargetControl:
        """The operator's control of the target or lane `name`."""
        with reaching_store():
            text: Any = self._redis.hget(self._keys.gates, f"o:{name}")
        return TargetControl.parse(text)

    def holds(self, names: Collection[str]) -> dict[str, Hold]:
        """Those of these targets and lanes at which nothing new starts now, and why."""
        if not names:
            return {}
        now_ms = clock.now_ms(self._redis, self._keys)
        fields = Controls.fields(map(encode, names))
        with reaching_store():
            texts: Any = self._redis.hmget(self._keys.gates, fields)
        controls = Controls({field: text for field, text in zip(fields, texts, strict=True) if text})
        return {name: hold for name in names if (hold := controls.hold(encode(name), now_ms)) is not None}

    def mapping_controls(self, targets: Iterable[str]) -> dict[str, TargetControl]:
        """The mapping's control of each of `targets` that has one; reading it counts as use, so it stays."""
        names = list(targets)
        if not names:
            return {}
        now_ms = clock.now_ms(self._redis, self._keys)
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(self._keys.last_used, dict.fromkeys(names, now_ms), xx=True)
            pipe.hmget(self._keys.gates, [f"m:{name}" for name in names])
            _, texts = pipe.execute()
        return {name: TargetControl.parse(text) for name, text in zip(names, texts, strict=True) if text}

    def all_mapping_controls(self) -> dict[str, TargetControl]:
        """The mapping's control of every target that has one; read a page at a time."""
        with reaching_store():
            fields = list(self._redis.hscan_iter(self._keys.gates, match="m:*", count=PAGE))
        return {decode(name[2:]): TargetControl.parse(text) for name, text in fields}

    def names(self) -> list[str]:
        """Every target that something waits for or is in flight to; read a page at a time."""
        with reaching_store():
            queued = [name for name, _ in self._redis.zscan_iter(self._keys.targets, count=PAGE)]
            busy: Any = self._redis.hkeys(self._keys.target_busy)
        return sorted(decode(name) for name in {*queued, *busy})

    def controlled_names(self) -> list[str]:
        """Targets and lanes with an operator's control, and those with a mapping's control or a breaker.

        Of the second kind at most `MAX_NAMES`, the most recently used first. A name may come twice.
        """
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            pipe.zrange(self._keys.operator_controlled, 0, -1)
            pipe.zrevrange(self._keys.last_used, 0, MAX_NAMES - 1)
            operator_names, recent_names = pipe.execute()
        return [name.decode("utf-8", "replace") for name in (*operator_names, *recent_names)]

    def statuses(self, only: Collection[str] = ()) -> Iterator[TargetStatus]:
        """The status of targets and lanes: see `StatusReader.statuses`."""
        return self._statuses.statuses(only)

    def listed_names(self) -> frozenset[str]:
        """The targets that `statuses` has."""
        return self._statuses.names()

    def unread(self) -> int:
        """How many targets with something to start `statuses` leaves out, as there are too many."""
        with reaching_store():
            ready: Any = self._redis.zcard(self._keys.targets)
        return max(0, int(ready) - MAX_NAMES)

    def waiting_reasons(self, lanes: Sequence[str]) -> dict[str, str]:
        """Lane → reason code of the last invocation that waits there, for those of `lanes` where that is a retry.

        Retries stand behind first attempts of their time (`due_scores`), so there usually is one where any waits.
        """
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            for lane in lanes:
                pipe.zrevrangebyscore(self._keys.waiting(lane), f"({NEVER_MS:.0f}", "-inf", 0, 1)
            last = [(lane, ids[0]) for lane, ids in zip(lanes, pipe.execute(), strict=True) if ids]
            for _, id in last:
                pipe.hget(self._keys.invocation(decode(id)), "reason")
            reasons = pipe.execute()
        return {lane: decode(reason) for (lane, _), reason in zip(last, reasons, strict=True) if reason}

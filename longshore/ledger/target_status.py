"""The status of targets and lanes: what waits, what is in flight, what holds them back."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import redis

from longshore.ledger import clock
from longshore.ledger.breaker import BreakerStatus
from longshore.ledger.connection import reaching_store
from longshore.ledger.due_scores import NEVER_MS, due_ms
from longshore.ledger.keys import Keys
from longshore.ledger.known_names import KnownNames
from longshore.ledger.target_control import Controls, TargetControl
from longshore.ledger.text import decode, encode

MAX_LANES = 1000
"""Lanes of one target that are looked at: those whose turn comes first."""


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """A target (`lane` empty) or one of its lanes. Times in ms since 1970, 0 for none."""

    target: str
    lane: str
    waiting: int
    awaiting_turn: int
    """Those of them that wait behind others of their order."""
    in_flight: int
    oldest_due_ms: int
    """When the one that has waited longest was due."""
    control: TargetControl
    """The operator's."""
    mapping: TargetControl
    breaker: BreakerStatus
    failures: int
    open_until_ms: int


@dataclass(frozen=True, slots=True)
class _Queue:
    """What waits in a lane, or in all lanes of a target."""

    waiting: int
    awaiting_turn: int
    oldest_due_ms: int


class StatusReader:
    """Reads the status of targets and lanes. Raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, late_ms: int) -> None:
        """`late_ms` is `Limits.late`."""
        self._client = client
        self._keys = keys
        self._late_ms = late_ms

    def statuses(self, only: Collection[str] = ()) -> Iterator[TargetStatus]:
        """Every known target, each followed by its lanes, in order of their names; or the targets `only`.

        A target is read when the iterator comes to it: one that changes meanwhile is shown as it is then, though what
        is in flight is what was so at the first one.
        """
        names, now_ms = self._names()
        controlled_lanes = names.lanes()
        for target in sorted(map(encode, only)) or sorted(names.targets()):
            with reaching_store():
                waiting_lanes = self._client.zrange(self._keys.lanes(decode(target)), 0, MAX_LANES - 1)
            lanes: list[bytes] = sorted({*waiting_lanes, *controlled_lanes.get(target, ())})
            queues, controls = self._read(target, lanes)
            yield _status(target, b"", _sum(queues), names, controls, now_ms)
            for lane, queue in zip(lanes, queues, strict=True):
                yield _status(target, lane, queue, names, controls, now_ms)

    def names(self) -> frozenset[str]:
        """The targets that `statuses` has."""
        names, _ = self._names()
        return frozenset(decode(name) for name in names.targets())

    def _names(self) -> tuple[KnownNames, int]:
        """The targets and lanes there are, and the ledger's time."""
        with reaching_store(), self._client.pipeline(transaction=False) as pipe:
            clock.ask(pipe, self._keys)
            KnownNames.ask(pipe, self._keys)
            time, clock_fields, *answers = pipe.execute()
        return KnownNames(*answers), clock.read((time, clock_fields))

    def _read(self, target: bytes, lanes: Sequence[bytes]) -> tuple[list[_Queue], Controls]:
        """What waits in each of `lanes`, and what holds them and their target back; one round trip."""
        fields = Controls.fields((target, *lanes))
        with reaching_store(), self._client.pipeline(transaction=False) as pipe:
            pipe.hmget(self._keys.gates, fields)
            for lane in lanes:
                key = self._keys.waiting(decode(lane))
                pipe.zcard(key)
                pipe.zcount(key, NEVER_MS, "+inf")
                pipe.zrangebyscore(key, "-inf", f"({NEVER_MS:.0f}", 0, 1, withscores=True)
            # The answers come in the order of the commands: one, and then three for each lane.
            texts, *answers = pipe.execute()
        queues = [
            _Queue(waiting, awaiting_turn, int(due_ms(head[0][1], self._late_ms)) if head else 0)
            for waiting, awaiting_turn, head in zip(*[iter(answers)] * 3, strict=True)
        ]
        return queues, Controls({field: text for field, text in zip(fields, texts, strict=True) if text})


def _sum(queues: Sequence[_Queue]) -> _Queue:
    due = [queue.oldest_due_ms for queue in queues if queue.oldest_due_ms]
    waiting, awaiting_turn = (sum(queue.waiting for queue in queues), sum(queue.awaiting_turn for queue in queues))
    return _Queue(waiting, awaiting_turn, min(due, default=0))


def _status(
    target: bytes, lane: bytes, queue: _Queue, names: KnownNames, controls: Controls, now_ms: int
) -> TargetStatus:
    name = lane or target
    breaker = controls.breaker(name)
    return TargetStatus(
        target=decode(target),
        lane=decode(lane),
        waiting=queue.waiting,
        awaiting_turn=queue.awaiting_turn,
        in_flight=names.in_flight(name),
        oldest_due_ms=queue.oldest_due_ms,
        control=controls.operator(name),
        mapping=controls.mapping(name),
        breaker=breaker.status(now_ms),
        failures=breaker.failures,
        open_until_ms=breaker.until_ms,
    )

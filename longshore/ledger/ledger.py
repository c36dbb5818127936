"""The ledger: every transition of an invocation, one script each. The scripts' headers say what they guarantee."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import redis

from longshore.errors import IntakeStopped
from longshore.ledger import clock, record, scripts
from longshore.ledger.connection import primary_of, reaching_store
from longshore.ledger.entry import (
    Accepted,
    AttemptEnd,
    Entry,
    ExpiredLease,
    FinishResult,
    OffsetRange,
    PumpResult,
    Rewind,
    StartedAttempt,
)
from longshore.ledger.faults import LedgerFault, with_faults
from longshore.ledger.keys import Keys
from longshore.ledger.limits import Limits
from longshore.ledger.script_connections import connections_of
from longshore.ledger.states import State
from longshore.ledger.text import decode, encode, number

MAX_CLAIMS = 500
"""Claims that one call returns at most: bounds how long a script holds Redis (about 10 ms)."""

FINISH_CLAIMS = 20
"""Claims that the end of an attempt returns at most: with a high rate several invocations are due by then, and finding
them together costs little more than finding one."""

MAX_ENDS = 50
"""Ends of attempts that one call stores at most, for the same reason: with their claims some 11 million instructions of
Redis."""

LOAD_BYTES = 4 << 20
"""Sealed messages that one call loads: a message may have a megabyte, and a worker must not hold a hundred of them."""

UNREADABLE_S = 30
"""For so long an invocation counts as unreadable; dispatch.lua looks at each again several times in it."""

ClaimKey = tuple[str, int]
"""A claim's id and token."""


class Ledger:
    """The ledger in one Redis. Thread safe. Every method raises `StoreUnavailable` when Redis is away.

    Where that happens nobody knows whether the script ran; each may be called again with the same arguments.
    """

    def __init__(self, client: "redis.Redis", keys: Keys, limits: Limits) -> None:
        self.redis = client
        self.keys = keys
        self.limits = limits
        self.format = record.format_for(0)
        """For new entries: the highest that all workers read, as of the last call of `accept`."""
        self._limits = limits.packed()
        self._calls = connections_of(client)
        self._scripts = {name: scripts.Script.get(name) for name in scripts.NAMES}

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections; a later call opens new ones."""
        self.redis.close()

    def run_script(self, name: str, *args: Any) -> Any:
        """What the script `name` answers; `args` are what its header lists behind `limits`."""
        with reaching_store():
            return self._scripts[name].run(self._calls.run, self.keys.prefix, self._limits, *args)

    def run_for_each(self, name: str, *args: Any) -> Iterator[Any]:
        """The same for a script that answers for many: of each its answer, or a `LedgerFault`."""
        return with_faults(name, self.run_script(name, *args))

    def accept(self, ranges: Sequence[OffsetRange], entries: Sequence[Entry], max_claims: int = MAX_CLAIMS) -> Accepted:
        """Stores a batch from Kafka, once, and claims what may start at once.

        Raises `IntakeStopped` if an operator has stopped intake; then nothing of it was stored.
        """
        rows = [
            [
                f"{read.topic}/{read.partition}",
                read.first,
                read.next,
                -1 if read.expected is None else read.expected,
                dict(read.skipped),
                read.mode,
                read.newest_ms,
            ]
            for read in ranges
        ]
        # A new random name each time; accept.lua takes it where there is none: an emptied Redis is another ledger.
        format = entries[0].format if entries else self.format
        args: list[Any] = [max_claims, json.dumps(rows), uuid.uuid4().hex[:12], format, len(entries)]
        for entry in entries:
            args += record.entry_values(entry, format)
        behind, results, claims, backlog, ledger, lowest, workers, *stopped = self.run_script("accept", *args)
        self.format = record.format_for(int(lowest))
        if stopped:
            raise IntakeStopped("an operator has stopped intake")
        rewinds = []
        for name, offset in behind:
            topic, _, partition = decode(name).rpartition("/")
            rewinds.append(Rewind(topic, int(partition), None if int(offset) < 0 else int(offset)))
        return Accepted(
            tuple(map(decode, results)),
            tuple(rewinds),
            record.parse_claims(claims),
            int(backlog),
            decode(ledger),
            int(workers),
        )

    def is_intake_stopped(self) -> bool:
        """Whether an operator has stopped intake, see `intake.py`."""
        with reaching_store():
            return bool(self.redis.exists(self.keys.intake))

    def exist(self, ids: Sequence[str]) -> list[bool]:
        """Of each of `ids`, whether the ledger has its record."""
        with reaching_store(), self.redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.exists(self.keys.invocation(id))
            return list(map(bool, pipe.execute()))

    def backlog(self) -> int:
        """How many invocations wait."""
        with reaching_store():
            count: Any = self.redis.hget(self.keys.counts, "backlog")
        return max(0, number(count))

    def is_replicated(self, replicas: int, timeout_ms: int) -> bool:
        """Whether at least `replicas` replicas of Redis have everything that was stored before this call."""
        with reaching_store(), self.redis.pipeline(transaction=False) as pipe:
            # WAIT covers what anybody wrote before the last write of its own connection, so that needs a write. Up to
            # Redis 7 any command would do.
            scripts.Script.get("touch").put(pipe, self.keys.prefix)
            pipe.wait(replicas, timeout_ms)
            return int(pipe.execute()[1]) >= replicas

    def generation(self, id: str) -> int:
        """The generation of the invocation `id`: 1, and one more with each requeue or replay; 1 without a record."""
        with reaching_store():
            generation: Any = self.redis.hget(self.keys.invocation(id), "generation")
        return number(generation, 1)

    def list_lengths(self, names: Sequence[str]) -> list[int]:
        """The lengths of other lists in the same Redis: Celery's, which carry the messages of claims."""
        with reaching_store():
            lengths: list[Any] = [self.redis.llen(name) for name in names]
        return lengths

    def primary(self) -> tuple[str, int] | None:
        """Host and port of the primary according to the sentinels; None without sentinels."""
        return primary_of(self.redis)

    def memory_share(self) -> float:
        """Redis's used memory as a share of its `maxmemory`; 0 without a maximum."""
        with reaching_store():
            info: Any = self.redis.info("memory")
        maximum = int(info.get("maxmemory", 0))
        return int(info["used_memory"]) / maximum if maximum else 0.0

    def pump(self, max_claims: int = MAX_CLAIMS) -> PumpResult:
        """What may start now, and whose leases have lapsed."""
        claims, lapsed, workers = self.run_script("pump", max_claims)
        expired = tuple(
            ExpiredLease(decode(id), State(decode(state)), decode(reason), decode(target))
            for id, state, reason, target in lapsed
        )
        return PumpResult(record.parse_claims(claims), expired, int(workers))

    def load(
        self, claims: Sequence[ClaimKey], max_bytes: int = LOAD_BYTES
    ) -> list[StartedAttempt | record.UnknownFormat | LedgerFault | None]:
        """What the records say to which `claims` lead, each an id and a token. Changes nothing.

        Answers for the first of them, at least one, as many as have messages of `max_bytes` together. Each is the
        attempt that `begin` would start, None for a stale claim, `UnknownFormat` for a record that this version does
        not read, or a fault.
        """
        answers = self.run_for_each("load", max_bytes, *_flat(claims))
        return [_attempt(id, token, answer) for (id, token), answer in zip(claims, answers, strict=False)]

    def begin(self, claims: Sequence[ClaimKey]) -> list[int | LedgerFault | None]:
        """Leave to send. For each of `claims` when its first attempt began (ms), None if it is stale, or a fault.

        From here on bytes may leave. After `StoreUnavailable` some may have begun: release all of them.
        """
        return [_first_ms(answer) for answer in self.run_for_each("begin", *_flat(claims))]

    def finish(
        self, ends: Sequence[tuple[StartedAttempt, AttemptEnd]], max_claims: int = FINISH_CLAIMS
    ) -> FinishResult:
        """Stores how attempts have ended, at most `MAX_ENDS`, with their reports; claims what may start instead."""
        if len(ends) > MAX_ENDS:
            raise ValueError(f"{len(ends)} ends in one call, at most {MAX_ENDS}")
        values = [value for attempt, end in ends for value in record.end_values(attempt, end)]
        outcomes, claims, workers = self.run_script("finish", max_claims, *values)
        states = (
            outcome if isinstance(outcome, LedgerFault) else decode(outcome)
            for outcome in with_faults("finish", outcomes)
        )
        return FinishResult(tuple(states), record.parse_claims(claims), int(workers))

    def release(self, claims: Sequence[ClaimKey], delay_ms: int = 0) -> list[bool | LedgerFault]:
        """Returns claimed or begun invocations to their lanes, unsent and without using an attempt. False: stale.

        They are handed out again after `delay_ms`.
        """
        answers = self.run_for_each("release", delay_ms, *_flat(claims))
        return [answer if isinstance(answer, LedgerFault) else bool(answer) for answer in answers]

    def unreadable(self) -> int:
        """How many invocations were due recently for which no worker reads their format."""
        since_ms = self.clock_ms() - UNREADABLE_S * 1000
        with reaching_store():
            return int(self.redis.zcount(self.keys.unreadable, since_ms, "+inf"))

    def heartbeat(
        self,
        worker: str,
        slots: int,
        working_on: Iterable[tuple[str, int]] = (),
        sums: Mapping[str, int] | None = None,
    ) -> int:
        """Keeps `worker` and the leases of its attempts alive; 0 slots withdraws it. Returns the fleet's slots.

        `working_on`: id and token of each attempt. `sums`: what to add to the fleet's activity, see `activity.py`.
        """
        pairs = (*(sums or {}).items(), *working_on)
        return int(self.run_script("heartbeat", worker, slots, len(sums or ()), *_flat(pairs)))

    def prune(self) -> int:
        """Drops some dead letters older than they are kept; returns how many."""
        return int(self.run_script("prune"))

    def sweep(self, hash: str, cursor: int) -> int:
        """Drops some fields of `hash` (`gates` or `starts`) whose targets are no longer in use.

        Returns the cursor to go on with, 0 at the end.
        """
        return int(self.run_script("sweep", hash, cursor))

    def defer(self, attempt: StartedAttempt, target: str, lane: str) -> bool:
        """Moves an attempt that has begun, but sent nothing, to another lane. Uses no attempt."""
        return bool(self.run_script("defer", encode(attempt.id), attempt.token, encode(target), encode(lane)))

    def clock_ms(self) -> int:
        """The ledger's time, in which the start times of claims are given."""
        return clock.now_ms(self.redis, self.keys)


def _flat(claims: Iterable[ClaimKey]) -> Iterator[Any]:
    for id, token in claims:
        yield encode(id)
        yield token


def _attempt(id: str, token: int, answer: Any) -> StartedAttempt | record.UnknownFormat | LedgerFault | None:
    if isinstance(answer, LedgerFault):
        return answer
    try:
        return record.parse_started(id, token, answer) if answer else None
    except record.UnknownFormat as error:
        return error
    except (AttributeError, TypeError, ValueError) as error:  # a field is missing, or is no number
        return LedgerFault("load", type(error).__name__)


def _first_ms(answer: Any) -> int | LedgerFault | None:
    return answer if answer is None or isinstance(answer, LedgerFault) else int(answer)

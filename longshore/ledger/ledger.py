"""The ledger: every transition of an invocation, one script each. What it promises stands in the scripts' headers."""

import json
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import redis

from longshore.invocation.kinds import Kind
from longshore.ledger import clock, record, scripts
from longshore.ledger.connection import primary_of, reaching_store
from longshore.ledger.entry import (
    Accepted,
    AttemptEnd,
    Claim,
    Entry,
    ExpiredLease,
    LeasedReports,
    OffsetRange,
    PartitionOffsets,
    Rewind,
    StartedAttempt,
)
from longshore.ledger.keys import Keys
from longshore.ledger.limits import Limits
from longshore.ledger.script_connections import connections_of
from longshore.ledger.states import State

MOST_CLAIMS = 500
"""Most invocations one call hands out: bounds how long a script holds Redis (about 10 ms)."""

IN_PLACE = 20
"""Most invocations that the end of an attempt hands out: with a high rate several are due by then, and looking for them
together costs little more than looking for one."""

UNREADABLE_S = 30
"""How long ago one may have been found unreadable: each is looked at again several times in that (dispatch.lua)."""

REPORT_PATIENCE_MS = 2_000
"""How long what has ended does not count as finished because Port has not heard of it: usually enough, and short, as
what does not count as finished is delivered again when the ledger is lost."""


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _claims(flat: Sequence[Any]) -> tuple[Claim, ...]:
    rows = zip(*[iter(flat)] * 7, strict=True)
    return tuple(
        Claim(_text(id), int(token), int(start), _text(target), int(attempts), int(generation), int(format))
        for id, token, start, target, attempts, generation, format in rows
    )


class Ledger:
    """The ledger in one Redis. Thread safe. Every method raises `StoreUnavailable` when Redis is away.

    Where that happens nobody knows whether the script ran; each may be called again with the same arguments.
    """

    def __init__(self, client: "redis.Redis", keys: Keys, limits: Limits) -> None:
        self.redis = client
        self.keys = keys
        self.limits = limits
        self.format = record.format_for(0)
        """For entries to come; it follows the workers that are there, with each call of `accept`."""
        self._limits = limits.packed()
        self._calls = connections_of(client)
        self._scripts = {name: scripts.Script.named(name) for name in scripts.NAMES}

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections; used again, it makes others."""
        self.redis.close()

    def _run(self, name: str, *args: Any) -> Any:
        with reaching_store():
            return self._scripts[name].run(self._calls.run, self.keys.prefix, self._limits, *args)

    def accept(self, spans: Sequence[OffsetRange], entries: Sequence[Entry], want: int = MOST_CLAIMS) -> Accepted:
        """Stores a batch from Kafka, once, and claims what may start at once."""
        read = [
            [
                f"{span.topic}/{span.partition}",
                span.first,
                span.next,
                -1 if span.expected is None else span.expected,
                dict(span.skipped),
                span.mode,
                span.newest_ms,
            ]
            for span in spans
        ]
        # Another name each time: a Redis that was emptied since the last call is another ledger.
        format = entries[0].format if entries else self.format
        args: list[Any] = [want, json.dumps(read), uuid.uuid4().hex[:12], format, len(entries)]
        for entry in entries:
            args += record.written(entry, format)
        behind, results, claims, backlog, ledger, lowest = self._run("accept", *args)
        self.format = record.format_for(int(lowest))
        rewinds = []
        for name, offset in behind:
            topic, _, partition = _text(name).rpartition("/")
            rewinds.append(Rewind(topic, int(partition), None if int(offset) < 0 else int(offset)))
        return Accepted(tuple(map(_text, results)), tuple(rewinds), _claims(claims), int(backlog), _text(ledger))

    def places(self, partitions: Collection[tuple[str, int]]) -> PartitionOffsets:
        """What is known of `partitions`."""
        fields = [f"{topic}/{partition}" for topic, partition in partitions]
        with reaching_store(), self.redis.pipeline(transaction=False) as pipe:
            pipe.get(self.keys.name)
            pipe.hgetall(self.keys.newest)
            pipe.time()
            for topic, partition in partitions:
                pipe.hget(self.keys.partition(topic, partition), "next")
            name, newest, (now_s, _), *following = pipe.execute()
        times = {_text(field): int(value) for field, value in newest.items()}
        return PartitionOffsets(
            ledger=_text(name or b""),
            next={place: int(value) for place, value in zip(partitions, following, strict=True) if value is not None},
            newest_ms={
                place: times[field]
                for place, field in zip(partitions, fields, strict=True)
                # One from the future says nothing: an older version kept it as the publisher's clock told it.
                if 0 < times.get(field, 0) <= 1000 * (now_s + 1)
            },
            topics=frozenset(field.rpartition("/")[0] for field in times),
        )

    def unfinished(self, partitions: Collection[tuple[str, int]]) -> tuple[str, dict[tuple[str, int], list[int]]]:
        """The ledger's name, and the offsets of `partitions` that are not finished, in order (`Limits.open`)."""
        fields = [f"{topic}/{partition}" for topic, partition in partitions]
        (name,), *offsets = self._run("unfinished", REPORT_PATIENCE_MS, *fields)
        return _text(name), {place: list(map(int, row)) for place, row in zip(partitions, offsets, strict=True)}

    def known(self, ids: Sequence[str]) -> list[bool]:
        """Which of `ids` the ledger has a record of."""
        with reaching_store(), self.redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.exists(self.keys.invocation(id))
            return list(map(bool, pipe.execute()))

    def backlog(self) -> int:
        """How many invocations wait."""
        with reaching_store():
            found: Any = self.redis.hget(self.keys.counts, "backlog")
        return int(found or 0)

    def replicated(self, replicas: int, timeout_ms: int) -> bool:
        """Whether so many replicas of Redis have everything that was stored before this call."""
        with reaching_store(), self.redis.pipeline(transaction=False) as pipe:
            # WAIT is about all that was written before the last write of its own connection, whoever wrote it. Up to
            # Redis 7 any command did for that.
            scripts.Script.named("touch").put(pipe, self.keys.prefix)
            pipe.wait(replicas, timeout_ms)
            return int(pipe.execute()[1]) >= replicas

    def generation(self, id: str) -> int:
        """How often the invocation `id` was started over by a requeue or a replay, from 1; 1 for one that is gone."""
        with reaching_store():
            generation: Any = self.redis.hget(self.keys.invocation(id), "generation")
        return int(generation or 1)

    def list_lengths(self, names: Sequence[str]) -> list[int]:
        """The lengths of other lists in the same Redis: those that carry the wake-up calls."""
        with reaching_store():
            lengths: list[Any] = [self.redis.llen(name) for name in names]
        return lengths

    def primary(self) -> tuple[str, int] | None:
        """Host and port of the Redis that sentinels named last; None where the address names no sentinels."""
        return primary_of(self.redis)

    def memory_share(self) -> float:
        """Redis's used memory as a share of its `maxmemory`; 0 where none is set."""
        with reaching_store():
            info: Any = self.redis.info("memory")
        most = int(info.get("maxmemory", 0))
        return int(info["used_memory"]) / most if most else 0.0

    def pump(self, want: int = MOST_CLAIMS) -> tuple[tuple[Claim, ...], tuple[ExpiredLease, ...]]:
        """What may start now, and whose leases have lapsed."""
        claims, lapsed = self._run("pump", want)
        return _claims(claims), tuple(
            ExpiredLease(_text(id), State(_text(state)), _text(reason), _text(target))
            for id, state, reason, target in lapsed
        )

    def begin(self, id: str, token: int) -> StartedAttempt | None:
        """Leave to send, or None if the claim is stale. From here on bytes may leave.

        Raises `UnknownFormat` for a record that this version does not read; nothing has changed then.
        """
        row = self._run("begin", _bytes(id), token)
        if not row:
            return None
        format, *values = row
        if not values:
            raise record.UnknownFormat(id, int(format))
        return record.begun(id, token, int(format), values)

    def finish(self, id: str, token: int, finish: AttemptEnd, want: int = IN_PLACE) -> tuple[str, tuple[Claim, ...]]:
        """Stores what came of an attempt. Returns the state it is in now (or `stale`, `gone`) and new claims."""
        applied, claims = self._run(
            "finish",
            want,
            _bytes(id),
            token,
            finish.result,
            finish.delay_ms,
            finish.reason,
            "" if finish.status is None else finish.status,
            finish.attempt,
            finish.about_target,
            finish.about_lane,
            "1" if finish.clears else "",
            *finish.reports,
        )
        return _text(applied), _claims(claims)

    def release(self, id: str, token: int, delay_ms: int = 0) -> bool:
        """Returns a claimed or begun invocation to its lane, unsent and without using an attempt. False: stale.

        It is handed out again after `delay_ms`.
        """
        return bool(self._run("release", _bytes(id), token, delay_ms))

    def unreadable(self) -> int:
        """How many were due of late for which no worker was there that reads their format."""
        since_ms = self.clock_ms() - UNREADABLE_S * 1000
        with reaching_store():
            return int(self.redis.zcount(self.keys.unreadable, since_ms, "+inf"))

    def heartbeat(self, worker: str, slots: int, working_on: Iterable[tuple[str, int]] = ()) -> int:
        """Says that `worker` lives and what it still works on; 0 slots withdraws it. Returns the fleet's slots."""
        flat: list[Any] = []
        for id, token in working_on:
            flat += [_bytes(id), token]
        return int(self._run("heartbeat", worker, slots, *flat))

    def prune(self) -> int:
        """Drops some dead letters older than they are kept; returns how many."""
        return int(self._run("prune"))

    def sweep(self, kept: str, cursor: int) -> int:
        """Drops some of what is kept in `gates` or `starts` of targets that are used no longer.

        Returns the cursor to go on with, 0 at the end.
        """
        return int(self._run("sweep", kept, cursor))

    def lease_reports(self, most: int, lease_ms: int) -> list[LeasedReports]:
        """Leases the due reports of up to `most` invocations to the caller."""
        rows = self._run("lease_reports", most, lease_ms)
        return [
            LeasedReports(
                id=_text(id),
                token=token,
                kind=Kind(_text(kind)),
                run=_text(run),
                synchronized=sync == b"1",
                tries=int(tries),
                items=tuple(items),
                trace=trace,
                format=int(format),
                generation=int(generation),
            )
            for id, token, kind, run, sync, tries, trace, format, generation, *items in rows
        ]

    def report_waits(self, most: int, span_ms: int) -> int:
        """Has up to `most` runs that wait long told what is ahead of them; each lane at most every `span_ms`."""
        return int(self._run("report_waits", most, span_ms))

    def renew_reports(self, taken: LeasedReports, lease_ms: int) -> LeasedReports | None:
        """Holds `taken` for `lease_ms` more; what it returns takes its place. None if somebody else may have them."""
        token = self._run("renew_reports", _bytes(taken.id), taken.token, lease_ms)
        return replace(taken, token=token) if token else None

    def ack_reports(self, taken: LeasedReports, unsent: Sequence[bytes] = (), delay_ms: int = 0) -> bool:
        """Drops the taken reports but `unsent`, due again after `delay_ms`. False if somebody else has them by now."""
        failed = "1" if unsent else ""
        return bool(
            self._run("ack_reports", _bytes(taken.id), taken.token, len(taken.items), delay_ms, failed, *unsent)
        )

    def defer(self, begun: StartedAttempt, target: str, lane: str) -> bool:
        """Moves an attempt that has begun, but sent nothing, to another lane. Uses no attempt."""
        return bool(self._run("defer", _bytes(begun.id), begun.token, _bytes(target), _bytes(lane)))

    def clock_ms(self) -> int:
        """The ledger's time, which claims' start times are told in."""
        return clock.now_ms(self.redis, self.keys)

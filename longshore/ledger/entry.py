"""What goes into the ledger and what comes out of it: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from longshore.invocation.kinds import Kind
from longshore.ledger.states import State


@dataclass(frozen=True, slots=True)
class Entry:
    """One invocation on its way into the ledger."""

    id: str
    """Port's run id made safe, or the change log event's place in Kafka. Repeats are recognised by it."""
    kind: Kind
    run: str
    """Port's id of the run, as received; empty for change log events."""
    target: str
    lane: str
    synchronized: bool
    origin: str
    """`topic/partition/offset`."""
    published_ms: int
    """Timestamp of the Kafka record."""
    mapping: str
    """Digest of the mapping file that chose target and lane, `/`, and the number of its entry."""
    payload: bytes = field(repr=False)
    """Sealed canonical text of the message."""
    unknown: str
    """`park` or `retry`: what to do when an attempt has begun and nobody knows how it ended."""
    max_attempts: int = 8
    dead: str = ""
    """Reason code of an invocation that goes straight to the dead letters."""
    trace: bytes = field(default=b"", repr=False)
    """Sealed trace context; empty for none."""
    format: int = 1
    """For which its values were sealed, and in which it is to be written; the same in all of a batch."""
    reports: tuple[bytes, ...] = field(default=(), repr=False)
    """What Port shall hear at once: type character, then the sealed body."""


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets `[first, next)` of one partition, all read in this batch."""

    topic: str
    partition: int
    first: int
    next: int
    expected: int | None = None
    """The next offset this consumer knows the ledger to have; None before its first batch."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Reason → how many of them were not for us."""
    mode: Literal["group", "reset", "replay"] = "group"
    """`reset`: the partition was recreated, so its next offset goes back. `replay`: read by somebody who is not of the
    group, so its next offset stays as it is."""
    newest_ms: int = 0
    """Timestamp of the last record; 0 if there is none."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Sole leave to start one attempt, on its way to a worker as a Celery message."""

    id: str
    token: int
    start_ms: int
    """Redis time before which the attempt must not start (the target's rate)."""
    target: str
    attempts: int
    """Attempts begun before this one."""
    generation: int
    """1, and one more with each requeue."""
    format: int = 1
    """Of its record: only workers that read it are asked."""


@dataclass(frozen=True, slots=True)
class Rewind:
    """The ledger is behind this consumer on a partition: it must read again from `next`.

    None: the ledger knows nothing of the partition.
    """

    topic: str
    partition: int
    next: int | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a batch. With `rewinds`, nothing of it was stored."""

    results: tuple[str, ...]
    """Per entry: `accepted`, `repeated` or `repeated_elsewhere` (same id at another place in Kafka)."""
    rewinds: tuple[Rewind, ...]
    claims: tuple[Claim, ...]
    backlog: int
    """Invocations waiting."""
    ledger: str = ""
    """Name of the ledger, see `Keys.name`."""


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """What the ledger knows of partitions, each of them topic and number."""

    ledger: str
    """Its name; empty if it has never stored anything."""
    next: Mapping[tuple[str, int], int]
    """The offset it expects next."""
    newest_ms: Mapping[tuple[str, int], int]
    """The timestamp of the record it had last."""
    topics: frozenset[str]
    """Topics of which it has read any partition."""


@dataclass(frozen=True, slots=True)
class ExpiredLease:
    """A lease nobody renewed, and where the invocation went."""

    id: str
    state: State
    reason: str
    target: str


@dataclass(frozen=True, slots=True)
class StartedAttempt:
    """Leave to send now, and all the worker needs."""

    id: str
    token: int
    payload: bytes = field(repr=False)
    kind: Kind
    run: str
    synchronized: bool
    target: str
    lane: str
    number: int
    """From 1."""
    generation: int
    published_ms: int
    accepted_ms: int
    first_ms: int
    """When its first attempt began."""
    origin: str
    mapping: str
    unknown: str
    max_attempts: int
    format: int = 1
    """Of its record: what is written of it must be as this says."""
    deaths: int = 0
    """Deaths of workers, one after the other, at which it was under way. See `Limits.suspect`."""
    moves: int = 0
    """How often it was deferred to another target."""
    trace: bytes = field(default=b"", repr=False)
    """As in `MappingEntry`."""


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """What came of an attempt."""

    result: State
    """One of `State.WAITING` and the final ones."""
    reason: str
    status: int | None = None
    delay_ms: int = 0
    """For `waiting`: when the next attempt is due."""
    attempt: bytes = field(default=b"", repr=False)
    """Sealed history entry."""
    reports: tuple[bytes, ...] = field(default=(), repr=False)
    about_target: str = ""
    """What it says about the target, for its breaker: `well`, `fault`, or nothing (it was not tried)."""
    about_lane: str = ""
    """The same about the lane."""
    clears: bool = True
    """It has ended by itself, in the hands of a worker that lives: it is no suspect, see `Limits.suspect`."""


@dataclass(frozen=True, slots=True)
class LeasedReports:
    """Reports of one invocation, leased to one sender."""

    id: str
    token: bytes
    kind: Kind
    run: str
    synchronized: bool
    tries: int
    items: tuple[bytes, ...] = field(repr=False)
    trace: bytes = field(default=b"", repr=False)
    """As in `MappingEntry`."""
    format: int = 1
    generation: int = 1
    """Of its record, now."""

"""The values that go into the ledger and come out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from longshore.invocation.kinds import Kind
from longshore.ledger.faults import LedgerFault
from longshore.ledger.states import State


@dataclass(frozen=True, slots=True)
class Entry:
    """One invocation on its way into the ledger."""

    id: str
    """Port's run id with unsafe characters replaced, or the change log event's origin. Repeats are recognised by it."""
    kind: Kind
    run: str
    """Port's id of the run, as received; empty for change log events."""
    target: str
    lane: str
    synchronized: bool
    origin: str
    """`topic/partition/offset`, or `polling/run id`."""
    published_ms: int
    """Timestamp of the Kafka record."""
    mapping: str
    """Digest of the mapping file that chose target and lane, `/`, and the number of the entry in it."""
    payload: bytes = field(repr=False)
    """Sealed canonical text of the message."""
    unknown_outcome: str
    """Policy for unknown outcomes, `park` or `retry`: what to do when an attempt has begun and its end is unknown."""
    max_attempts: int = 8
    dead: str = ""
    """Reason code of an invocation that goes straight to the dead letters."""
    trace: bytes = field(default=b"", repr=False)
    """Sealed trace context; empty for none."""
    verbatim: bool = False
    """Whether the message, byte for byte, is what the original would send as a body. Stored from format 3 on."""
    order: str = ""
    """Its policy and its order, as `order.py` makes them; empty for none."""
    ack_after_ms: int | None = None
    """When its claim is to be acknowledged to Port, from now; held until Port has answered. None: it is ours already.

    Then it waits, or is the dead letter that `dead` says. If Port says that it is not ours, it is forgotten.
    """
    format: int = 1
    """Format of its record, for which its values were sealed; the same in a whole batch."""
    reports: tuple[bytes, ...] = field(default=(), repr=False)
    """First reports to Port: kind character, then the sealed body."""


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets `[first, next)` of one partition, all read in this batch."""

    topic: str
    partition: int
    first: int
    next: int
    expected: int | None = None
    """The next offset that the ledger must have at least, as this consumer knows; None before its first batch."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Reason → how many of them are no entries."""
    mode: Literal["group", "reset", "replay"] = "group"
    """`reset`: the partition was recreated, so its next offset goes back. `replay`: the reader is not
    in the consumer group, so the next offset stays as it is."""
    newest_ms: int = 0
    """Timestamp of the last record; 0 if there is none."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The sole right to start one attempt, on its way to a worker as a Celery message."""

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
    """Of its record: only a worker that reads it can begin."""


@dataclass(frozen=True, slots=True)
class Rewind:
    """The ledger is behind this consumer on a partition, which must therefore read it again from offset `next`.

    None: the ledger has nothing of this partition.
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
    workers: int = 0
    """How many worker processes the fleet has; 0 with `rewinds`."""


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """Where the ledger stands with partitions, each of them topic and number."""

    ledger: str
    """Its name; empty if it has never stored anything."""
    next: Mapping[tuple[str, int], int]
    """The offset that it expects next; partitions it has never read are missing."""
    newest_ms: Mapping[tuple[str, int], int]
    """The timestamp of the last record it has read."""
    topics: frozenset[str]
    """Topics of which it has read any partition."""


@dataclass(frozen=True, slots=True)
class ExpiredLease:
    """A lease that nobody renewed, and the state the invocation went to."""

    id: str
    state: State
    reason: str
    target: str


class PumpResult(NamedTuple):
    """The answer to the pump."""

    claims: tuple[Claim, ...]
    """What may start now."""
    expired: tuple[ExpiredLease, ...]
    workers: int
    """How many worker processes the fleet has."""


@dataclass(frozen=True, slots=True)
class StartedAttempt:
    """An attempt with all that the worker needs. It has begun, and may send, when `Ledger.begin` says so."""

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
    """When its first attempt began; 0 for the first attempt before it has begun."""
    origin: str
    mapping: str
    unknown_outcome: str
    max_attempts: int
    format: int = 1
    """Of its record; what is sealed for it must be in the same format."""
    deaths: int = 0
    """Workers in a row that died while they attempted it. See `Limits.suspect`."""
    moves: int = 0
    """How often it was deferred to another target."""
    verbatim: bool = False
    """As in `Entry`; False before format 3."""
    trace: bytes = field(default=b"", repr=False)
    """As in `Entry`."""


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt has ended."""

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
    """What it says about the target, for its breaker: `well`, `fault`, or empty (the target was not tried)."""
    about_lane: str = ""
    """The same about the lane."""
    clears: bool = True
    """Whether the worker survived the attempt, which clears the invocation of suspicion, see `Limits.suspect`."""


class FinishResult(NamedTuple):
    """The answer to the ends of some attempts."""

    states: tuple[str | LedgerFault, ...]
    """For each the state it is in now; or `stale` (another attempt has begun since), or `gone` (it has no record); or a
    fault: nothing was stored, and its lease lapses."""
    claims: tuple[Claim, ...]
    """What may start in their place."""
    workers: int
    """How many worker processes the fleet has."""


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
    """As in `Entry`."""
    format: int = 1
    generation: int = 1
    """Of its record, as of the lease."""


class ReportsAck(NamedTuple):
    """What became of leased reports."""

    reports: LeasedReports
    unsent: Sequence[bytes] = ()
    """Items of theirs that are still to be sent, in order."""
    delay_ms: int = 0
    """Before they are due again."""

"""What ingest asks of whatever it takes invocations from: Kafka, Port's polling API, or anything that can wait.

A source hands over records, and confirms them where they come from no earlier than the ledger has them: a crash in
between repeats a record, which the ledger recognises, and loses none. How it counts what it has read, who else reads
beside it and when it confirms is its own business. The ledger keeps how far a source is in one step with what was made
of the records, and answers to that; what stands between the two (`Progress`) is opaque to all others.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from opentelemetry.trace import SpanContext

from longshore.errors import LongshoreError
from longshore.invocation.kinds import Kind
from longshore.ledger.entry import Accepted, OffsetRange

Progress = Sequence[OffsetRange]
"""What `Ledger.accept` keeps of how far a source has been read; empty for a source that keeps no count."""


class RunIdentity(NamedTuple):
    """Which run a record is, where that is proven whatever the record says: Port gave it out under this id."""

    kind: Kind
    run_id: str


class Record(Protocol):
    """One message as it was handed over."""

    @property
    def stream(self) -> str:
        """Which of the source's streams it is of (a topic, for Kafka); it decides how the message is read."""

    @property
    def value(self) -> bytes | None:
        """The message; None for one without content."""

    @property
    def timestamp_ms(self) -> int:
        """When it was published, as the source tells it; -1 if it does not."""

    @property
    def origin(self) -> str:
        """Where it stands in its source, for people: in logs, and beside the invocation in the ledger."""

    @property
    def key(self) -> str:
        """Names it and no other record, the same at each reading: what has no id of its own is known by it."""

    @property
    def run(self) -> RunIdentity | None:
        """The run that was claimed from Port: held in the ledger until Port has acknowledged the claim.

        None for a message that only says itself which run it is.
        """

    @property
    def trace(self) -> SpanContext | None:
        """Which trace it says it belongs to."""


class SourceLost(LongshoreError):
    """The source has not answered for so long that ingest ends; whoever started it decides what comes next."""


R = TypeVar("R", bound=Record)


class Source(Protocol[R]):
    """Hands over records and confirms them. An implementation is a subclass, and overrides what has no body here.

    The rest is for a source that keeps count of what it has read, as Kafka does with offsets: it has the ledger keep
    the count, and learns from it when the ledger has lost some of what it had. The bodies here are those of a source
    that keeps none, because whoever gave it a record gives it out again until it is confirmed.

    `start` and `run` are called by the service, in its thread. All else is called by the ledger writer in another one,
    and must not wait: neither for long nor for more records.
    """

    def start(self) -> None:
        """Say what will be read, and begin with what needs no ledger. Returns at once."""
        ...

    def run(self, pause_cause: Callable[[], str]) -> None:
        """Read until the program is to stop. Called once the ledger has answered.

        Nothing more is fetched while `pause_cause` names one. Raises `ConfigError` for what no restart mends, and
        `SourceLost` where it has waited long enough.
        """
        ...

    def close(self) -> None:
        """Hand over nothing more; a `take` that waits returns. What is not stored stays unconfirmed."""
        ...

    def take(self, timeout_s: float) -> Sequence[R]:
        """The oldest records that were not taken yet, as soon as there are any; none after `timeout_s`."""
        ...

    def confirm(self, records: Sequence[R], accepted: Accepted) -> bool:
        """The ledger's answer to `progress` of these records, or to `position` (no records).

        True: it has them, so they may be confirmed where they come from. False: it has lost some of what was read
        before and has therefore taken nothing; those records the source will hand over again.
        """
        ...

    def admit(self, records: Sequence[R]) -> Sequence[R]:
        """Those of `records` that may be stored now; asked again before each try, as the answer changes with time.

        The others are the source's again. Either it hands them over later, or somebody else does.
        """
        return records

    def is_finished(self, record: R) -> bool:
        """Whether it was dealt with before, by a ledger that is no more: it is not to be done again."""
        return False

    def sync(self) -> None:
        """Have the ledger know what it must before it takes the next batch. Raises `StoreUnavailable`."""
        return

    def progress(self, records: Sequence[R], skipped: Sequence[tuple[R, str]]) -> Progress:
        """How far the source is read with `records`; those `skipped`, with the reason, make no entry."""
        return ()

    def position(self) -> Progress:
        """How far the source is read by now: asks the ledger whether it still has that, while no record comes."""
        return ()

    def refresh(self) -> None:
        """Called a few times a second, between batches, so that a source may learn what was finished meanwhile.

        Raises `StoreUnavailable`.
        """
        return

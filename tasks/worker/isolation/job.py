"""What a worker and the process of an isolated attempt say to each other.

The worker opens a connection; the child says `READY`, gets an `IsolatedJob` and answers with the length of a pickled
`AttemptResult` (8 bytes, big-endian) and then the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from longshore.delivery import InternalService
from longshore.ledger.entry import StartedAttempt

READY = b"ready\n"
"""What the child says once it could take a job: a death before it is not the invocation's doing."""


@dataclass(frozen=True, slots=True)
class IsolatedJob:
    """One attempt, with what the child cannot find out by itself."""

    attempt: StartedAttempt
    mapping: bytes = field(repr=False)
    """Content of the mapping file that is in force in the worker."""
    clock_offset_ms: float
    """Redis's clock minus this machine's."""
    internal_services: Sequence[InternalService]
    """Our own services, which no webhook may call."""


@dataclass(frozen=True, slots=True)
class ChildDied:
    """The child died over its job."""

    how: str
    """Its exit code or signal, for the log."""

"""A credential as a request carries it, and where it is from."""

from dataclasses import dataclass, field
from typing import Protocol

from longshore.errors import LongshoreError, place_of
from longshore.invocation.masking import Mask
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)


class NoToken(LongshoreError):
    """There is no credential now: `problem` is why, `place` who or which file was asked. Both may be shown.

    `retry_after_s` is the wait that was asked for, if it was.
    """

    def __init__(self, place: str, problem: str, retry_after_s: float | None = None) -> None:
        super().__init__(place, problem, retry_after_s)
        self.place = place
        self.problem = problem
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"no token from {self.place}: {self.problem}"


@dataclass(frozen=True, slots=True, eq=False)
class IssuedCredential:
    """A header for a request, and what masks it wherever it comes back."""

    header: str
    value: str = field(repr=False)
    mask: Mask
    source: "CredentialSource" = field(repr=False)


class CredentialSource(Protocol):
    """Where one credential is from. Any number of threads may ask."""

    place: str
    """The token server's host, or a file."""

    def current(self) -> IssuedCredential | None:
        """The credential, without waiting; None: `issue` has to fetch one. Raises NoToken."""

    def issue(self) -> IssuedCredential:
        """The credential; waits for a fetch if one is due. Raises NoToken."""

    def replace(self, refused: IssuedCredential) -> IssuedCredential | None:
        """Another one than `refused`, which the target did not take; None where no other would help. Raises NoToken."""


def issue(source: CredentialSource) -> IssuedCredential | NoToken:
    """The credential of `source`, or why there is none; waits for it."""
    try:
        return source.issue()
    except NoToken as error:
        return error
    except Exception as error:  # a fault of ours must end nobody who waits
        log.event(events.DELIVERY_CRASHED, error=type(error).__name__, at=place_of(error))
        return NoToken(source.place, f"a fault of the agent ({type(error).__name__})")

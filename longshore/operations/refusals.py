"""What an operator asked for and does not get, as errors that each face turns into its own codes.

Refused
├── Invalid     the request makes no sense
├── NotFound    there is no such thing
└── Conflict    it is there, but cannot be done as it stands
└── TooMany more than the caller's cap
"""

from longshore.errors import LongshoreError


class Refused(LongshoreError):
    """An operation was not carried out, and nothing has changed; the text says why."""


class Invalid(Refused):
    """The request makes no sense, whatever the ledger holds."""


class NotFound(Refused):
    """There is no such invocation or job, or nothing matches."""


class Conflict(Refused):
    """As things stand it cannot be done."""


class TooMany(Conflict):
    """More invocations match than the caller wants to send at most."""

    def __init__(self, total: int, cap: int) -> None:
        super().__init__(total, cap)
        self.total = total
        self.cap = cap

    def __str__(self) -> str:
        return f"{self.total} are more than the cap of {self.cap}: nothing was requeued"

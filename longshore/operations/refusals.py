"""Why an operation was refused, as errors that commands, pages and API turn into their own codes.

OperationRefused
├── Invalid         the request is invalid
├── NotFound        no such invocation or job, or no match
└── Conflict        not possible in the present state
    └── TooMany     more than the caller's cap
"""

from longshore.errors import LongshoreError


class OperationRefused(LongshoreError):
    """An operation was not carried out, and nothing has changed; the text says why."""


class Invalid(OperationRefused):
    """The request is invalid, whatever the ledger holds."""


class NotFound(OperationRefused):
    """No such invocation or job, or no match."""


class Conflict(OperationRefused):
    """Not possible in the present state of the ledger."""


class TooMany(Conflict):
    """More invocations match than the caller wants to send at most."""

    def __init__(self, total: int, cap: int) -> None:
        super().__init__(total, cap)
        self.total = total
        self.cap = cap

    def __str__(self) -> str:
        return f"{self.total} are more than the cap of {self.cap}: nothing was requeued"

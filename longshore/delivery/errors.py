"""The errors of this room.

LongshoreError
└── Unsendable      no request can be made of what the mapping gave
    └── BadUrl      because its URL is not one we could ever call

What a target does is never an error but an `Outcome`; these become one too before they leave `Sender.send`.
"""

from longshore.errors import LongshoreError


class Unsendable(LongshoreError):
    """No request can be made of these parts: `reason` is the reason code, `cause` says it to a person.

    The cause names header names and the like but never a value, since values may be secrets.
    """

    def __init__(self, reason: str, cause: str) -> None:
        super().__init__(reason, cause)
        self.reason = reason
        self.cause = cause

    def __str__(self) -> str:
        return self.cause


class BadUrl(Unsendable, ValueError):
    """The URL is empty, not http(s), without a host, or would smuggle something in (reason `bad_request`)."""

    def __init__(self, cause: str, reason: str = "bad_url") -> None:
        super().__init__(reason, cause)
        self.args = (cause, reason)

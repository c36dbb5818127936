"""The errors of this room.

LongshoreError
├── Unsendable      no request can be made of what the mapping gave
│   └── BadUrl      because its URL is not one we could ever call
├── Denied          the host may not be called
└── BadHostPattern  an entry of a list of host patterns makes no sense

What a target does is never an error but an `Outcome`; the first three become one too before they leave `Sender.send`.
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


class Denied(LongshoreError):
    """A host that may not be called; `cause` says why, and which setting would allow it."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class BadHostPattern(LongshoreError):
    """An entry of a list of host patterns that makes no sense: the `entry`, and the `problem` with its remedy."""

    def __init__(self, entry: str, problem: str) -> None:
        super().__init__(entry, problem)
        self.entry = entry
        self.problem = problem

    def __str__(self) -> str:
        return f'"{self.entry}" {self.problem}'

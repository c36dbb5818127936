"""What became of one attempt, as a value.

A target's answer is never an exception: a 500, a silent target or a name that does not resolve is what this program
is for. `Outcome` says what happened, whether the target may have acted on it, and what that calls for; `policy.py`
makes the next step of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What an attempt calls for."""

    DELIVERED = "delivered"
    """The target took it (status below 400 after redirects, or as the mapping's `delivery.success` says)."""

    RETRY = "retry"
    """Surely not processed, or declared so by the target: send it again later."""

    GIVE_UP = "give_up"
    """Refused for good, or not a request at all: sending it again cannot help."""

    UNKNOWN = "unknown"
    """It left us and no answer tells what became of it: it may have been acted on."""


class Fault(StrEnum):
    """What was unwell, for the breakers: a connection is the whole target's matter, an answer that of one lane."""

    NONE = "none"
    """Nothing, or only ourselves, our proxy included: the target was never reached."""

    REQUEST = "request"
    """This one request; the target is well and said so."""

    ANSWER = "answer"
    """The route: it answered that it cannot now, or did not answer in time."""

    CONNECTION = "connection"
    """The target: no connection came about."""


@dataclass(frozen=True, slots=True)
class Response:
    """The final answer of a target, after redirects.

    `headers` keep the target's spelling, repeated ones joined by `, `; `find` takes any. `text` is the decoded body up
    to the cap; `truncated` says that there was more, or that the connection ended before the body did. Both stay out of
    the repr: they are payload.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    truncated: bool = False

    def find(self, name: str) -> str:
        """The value of a header, empty without it; `name` is in lower case."""
        return next((value for key, value in self.headers.items() if key.lower() == name), "")


@dataclass(slots=True)
class Outcome:
    """The classified result of one attempt. Not frozen, which would cost five times as much: `Exchange` completes it.

    `sent` is False only if the request provably never left us. An unanswered request counts as sent: the target may
    have acted on it, so that sending it again can run the action twice.

    `reason` is a code for lists, filters and labels: `delivered`, `http_<status>`, `dns`, `connect_refused`,
    `connect_timeout`, `connect_failed`, `tls`, `proxy`, `read_timeout`, `connection_lost`, `bad_answer`, `deadline`,
    `bad_url`, `bad_request`, `bad_redirect`, `denied`, `unexpected`. `cause` says it to a person, remedy included
    where there is one; it names host and port but never a secret, a query, a user name or what the target wrote.

    `redirected` says where a redirect led that changed the request (a POST became a GET), and to which method; it is
    part of `cause` too. The status is then that of the changed request. Or it says why a redirect led nowhere.

    `objection` goes on behind the status: why the mapping does not count it as a success, say. `cause` has it, too.

    `retry_after_s` is the wait the target asked for, in seconds from its answer. `duration_ms` covers everything from
    the call of `send` to its end. `headers` are those of the first request as sent, with the signature, for the
    mapping's report (`.request.headers`); empty when no request came about. They stay out of the repr.
    """

    verdict: Verdict
    sent: bool
    reason: str
    cause: str
    status: int | None = None
    retry_after_s: float | None = None
    response: Response | None = None
    duration_ms: float = 0.0
    fault: Fault = Fault.NONE
    redirected: str = ""
    objection: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


_UNKNOWN = frozenset({502, 504, 598, 599, *range(520, 530)})
"""A gateway heard nothing (usable) from the target behind it: 52x is Cloudflare's family, 598 and 599 are HAProxy's and
others' read and connect timeouts."""

_RETRY = frozenset({408, 425, 429})
"""4xx that say "not now" and not "not so"."""

_FINAL = frozenset({501, 505})
"""5xx that will be the same tomorrow: the method, or the version of HTTP, is not supported."""


def classify_status(status: int) -> tuple[Verdict, Fault]:
    """What a final HTTP status calls for.

    Below 400: delivered. 408, 425, 429 and all 5xx by which the target itself says that it failed: again. 502, 504,
    52x, 598, 599: unknown, a gateway speaks and not the target. The rest, 501 and 505 included, is final.
    """
    if status < 400:
        return Verdict.DELIVERED, Fault.NONE
    if status in _UNKNOWN:
        return Verdict.UNKNOWN, Fault.ANSWER
    if status in _RETRY or (500 <= status < 600 and status not in _FINAL):
        return Verdict.RETRY, Fault.ANSWER
    return Verdict.GIVE_UP, Fault.REQUEST

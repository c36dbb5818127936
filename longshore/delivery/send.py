"""One attempt: a request in, an outcome out."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import MappingProxyType

from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict
from urllib3.response import BaseHTTPResponse

from longshore.delivery.body import as_text, read_body
from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.failure_reasons import (
    NEEDS_HTTPS,
    asks_for_tls,
    explain_refusal,
    explain_silence,
    explain_unsent,
)
from longshore.delivery.outcome import Fault, Outcome, Response, Verdict, classify
from longshore.delivery.proxy_answers import said_by_proxy
from longshore.delivery.redirect import MAX_REDIRECTS
from longshore.delivery.request import OutgoingRequest, prepare
from longshore.delivery.request_deadline import RequestDeadline
from longshore.delivery.resolver import Resolver
from longshore.delivery.send_errors import Denied, Unsendable
from longshore.delivery.session import Session
from longshore.delivery.target import origin_of
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.network.answer import head_cut, line_cut
from longshore.network.retry_after import retry_after_s

log = EventLog(__name__)

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

HEADERS_CAP = 65_536
"""Characters of response headers that are kept; the standard library would take 6 MB."""


class Sender:
    """Sends requests, from any number of threads at once, over shared connections.

    `secret` signs; it is Port's client secret. `timeout_s` is for connecting (looking the name up included) and for
    each read, `total_s` for an attempt as a whole. `verify` False checks no certificate of any target. `pool_size` is
    how many idle connections are kept per origin: as many as threads send. `response_cap` is how many bytes of an
    unpacked response body are kept. `egress_policy` says which hosts may be called. Make it after a fork, not before:
    connections are not shared between processes.
    """

    def __init__(
        self,
        secret: str,
        *,
        timeout_s: float = 30.0,
        total_s: float = 300.0,
        verify: bool = True,
        pool_size: int = 400,
        response_cap: int = 1_048_576,
        egress_policy: EgressPolicy | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._secret = secret
        self._timeout_s = timeout_s
        self._total_s = total_s
        self._cap = response_cap
        self._session = Session(verify, pool_size, resolver or Resolver(), egress_policy or EgressPolicy())

    def send(
        self,
        request: OutgoingRequest,
        extra: Mapping[str, str] = NO_HEADERS,
        timeout_s: float | None = None,
        total_s: float | None = None,
    ) -> Outcome:
        """Sign `request`, send it, follow its redirects, and say what came of it.

        `extra` headers (the idempotency key) give way to mapped ones of the same name. `timeout_s` and
        `total_s` replace the sender's own. Raises nothing for whatever a
        target, a proxy, a name server or the request itself does.
        """
        started = time.perf_counter()
        try:
            prepared = prepare(request, extra, self._secret, time.time())
        except Unsendable as refused:
            return Outcome(
                Verdict.GIVE_UP, False, refused.reason, refused.cause, fault=Fault.REQUEST, duration_ms=_since(started)
            )
        except Exception as error:  # a fault of ours, or parts of another type: it must not end the worker's task
            log.event(events.DELIVERY_CRASHED, error=type(error).__name__)
            cause = f"no request can be made of what the mapping gave ({type(error).__name__})"
            return Outcome(
                Verdict.GIVE_UP, False, "bad_request", cause, fault=Fault.REQUEST, duration_ms=_since(started)
            )
        headers = _as_sent(prepared)
        patience = _Timeouts(timeout_s or self._timeout_s, total_s or self._total_s)
        with RequestDeadline(patience.total_s) as attempt:
            outcome = self._exchange(prepared, attempt, patience)
        return replace(outcome, duration_ms=_since(started), headers=headers)

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def _exchange(self, request: PreparedRequest, attempt: RequestDeadline, patience: "_Timeouts") -> Outcome:
        """One request, and those it is redirected to."""
        rewritten = ""
        for hop in range(MAX_REDIRECTS + 1):
            attempt.begin_hop()
            try:
                raw = self._session.open(request, patience.timeout_s)
                if attempt.expired and line_cut(raw):
                    raise TimeoutError("it was the deadline that broke the line off")
            except Exception as error:
                return _after_redirects(self._unanswered(error, request, attempt, patience), hop, rewritten)
            body, truncated = read_body(raw, self._cap)
            try:
                following = self._session.redirected(request, raw)
            except Exception:  # requests', urllib3's or urlparse's opinion on what the target wrote
                return _lost_on_the_way(request, raw.status, "redirects to no place that is a URL")
            if following is None:
                # A body that lasts until the connection closes looks whole when the watchdog closed it.
                answer = _answer(raw, body, truncated or head_cut(raw) or attempt.expired)
                return _after_redirects(self._answered(answer, request), hop, rewritten)
            if following.method != request.method or following.body != request.body:
                rewritten = f"redirected to {_place(following)}, asked with {following.method}"
            request = following
        return _lost_on_the_way(request, raw.status, f"redirects more than {MAX_REDIRECTS} times")

    def _answered(self, answer: Response, request: PreparedRequest) -> Outcome:
        verdict, fault = classify(answer.status)
        target, url = _place(request), request.url or ""
        wait_s = None if verdict is Verdict.DELIVERED else retry_after_s(answer.headers, time.time())
        plain = url.startswith("http:")
        if plain and self._session.way(url).proxies and (said := said_by_proxy(answer)) is not None:
            # The target has answered nothing.
            return Outcome(Verdict.RETRY, True, "proxy", f"the proxy for {target} {said}", retry_after_s=wait_s)
        cause = f"{target} answered {answer.status}{_phrase(answer.status)}"
        reason = "delivered" if verdict is Verdict.DELIVERED else f"http_{answer.status}"
        if verdict is Verdict.UNKNOWN:
            cause += ": a gateway that heard nothing from the service behind it, which may have run"
        if plain and asks_for_tls(answer):
            cause += f": its port speaks TLS, {NEEDS_HTTPS}"
        return Outcome(verdict, True, reason, cause, answer.status, wait_s, answer, fault=fault)

    def _unanswered(
        self, error: Exception, request: PreparedRequest, attempt: RequestDeadline, patience: "_Timeouts"
    ) -> Outcome:
        target = _place(request)
        if isinstance(error, Denied):
            return Outcome(Verdict.GIVE_UP, False, "denied", error.cause, fault=Fault.REQUEST)
        if attempt.sent:
            if attempt.over():
                cause = f"{target} had not answered when the total deadline of {patience.total_s:g} s was over"
                return Outcome(Verdict.UNKNOWN, True, "deadline", cause, fault=Fault.ANSWER)
            if (refusal := explain_refusal(error, target)) is not None:
                return Outcome(Verdict.RETRY, True, *refusal, fault=Fault.CONNECTION)
            reason, cause = explain_silence(error, patience.timeout_s, target)
            if reason == "connection_lost" and self._session.speaks_tls(request.url or ""):
                cause += f", and speaks TLS: {NEEDS_HTTPS}"
            return Outcome(Verdict.UNKNOWN, True, reason, cause, fault=Fault.ANSWER)
        if attempt.over():
            cause = f"no connection to {target} when the total deadline of {patience.total_s:g} s was over"
            return Outcome(Verdict.RETRY, False, "deadline", cause, fault=Fault.CONNECTION)
        if attempt.trouble is not None:
            reason, cause = attempt.trouble
            fault = Fault.NONE if reason == "proxy" else Fault.CONNECTION
            return Outcome(Verdict.RETRY, False, reason, cause, fault=fault)
        final, (reason, cause) = explain_unsent(error, target)
        if reason == "unexpected":
            log.event(events.DELIVERY_CRASHED, error=type(error).__name__, target=target)
        if final:
            return Outcome(Verdict.GIVE_UP, False, reason, cause, fault=Fault.REQUEST)
        return Outcome(Verdict.RETRY, False, reason, cause, fault=Fault.NONE)


@dataclass(frozen=True, slots=True)
class _Timeouts:
    """How long one attempt waits: for connecting and each read, and in all."""

    timeout_s: float
    total_s: float


def _after_redirects(outcome: Outcome, hops: int, rewritten: str) -> Outcome:
    """`outcome` of the last hop, told as that of the whole attempt.

    Something was sent if there was a hop before. And once a redirect has turned the request into a GET, the target has
    taken the original one: that the GET may be repeated does not mean that the original may.
    """
    if hops == 0:
        return outcome
    if outcome.reason == "denied":
        return replace(outcome, sent=True, cause=f"redirected to a place that may not be called: {outcome.cause}")
    if not rewritten:
        return replace(outcome, sent=True)
    outcome = replace(outcome, sent=True, redirected=rewritten, cause=f"{outcome.cause}; {rewritten}")
    if outcome.verdict is Verdict.RETRY:
        cause = f"{outcome.cause}; the request itself was answered with a redirect and may have run"
        return replace(outcome, verdict=Verdict.UNKNOWN, cause=cause)
    return outcome


def _lost_on_the_way(request: PreparedRequest, status: int, how: str) -> Outcome:
    cause = f"{_place(request)} {how}"
    return Outcome(Verdict.GIVE_UP, True, "bad_redirect", cause, status=status, fault=Fault.REQUEST, redirected=how)


def _answer(raw: BaseHTTPResponse, body: bytes, truncated: bool) -> Response:
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    room = HEADERS_CAP
    for name, value in raw.headers.itermerged():
        room -= len(name) + len(value)
        if room >= 0:
            headers[name] = value
    return Response(raw.status, headers, as_text(body, headers.get("Content-Type", "")), truncated)


def _as_sent(request: PreparedRequest) -> Mapping[str, str]:
    """The headers of `request` as text."""
    return {name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}


def _place(request: PreparedRequest) -> str:
    """Host and port that `request` goes to, without anything secret."""
    try:
        _, host, port = origin_of(request.url or "")
    except Unsendable:
        return "the target"
    return f"{host}:{port}"


def _phrase(status: int) -> str:
    """What `status` is called, with a space in front; from our own list, never from what the target wrote."""
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1_000

"""What became of one attempt: from an answer, or the error in place of one, to its outcome.

The rule behind all of it: what may have reached the target is never called unsent, and what has no answer is never
called failed. Otherwise a retry would run the target's action twice without anybody having chosen that.
"""

import time
from dataclasses import replace
from http import HTTPStatus

from requests.structures import CaseInsensitiveDict

from longshore.delivery.failure_reasons import (
    NEEDS_HTTPS,
    classify_missing_response,
    classify_tls_rejection,
    classify_unsent_error,
    describe_client_certificate,
    is_certificate_response,
    is_tls_port_response,
    name_certificate,
)
from longshore.delivery.outcome import Fault, Outcome, Response, Verdict, classify_status
from longshore.delivery.proxy_answers import describe_proxy_failure
from longshore.delivery.request import SignedRequest
from longshore.delivery.request_deadline import RequestDeadline
from longshore.delivery.send_errors import Denied
from longshore.delivery.session import Session
from longshore.errors import place_of
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.network.client_certificate import wants_client_certificate
from longshore.network.retry_after import retry_after_s

log = EventLog(__name__)


def classify_response(response: Response, request: SignedRequest, session: Session) -> Outcome:
    """The outcome of `request`, which `response` answered; of itself alone, see `merge_redirects`."""
    verdict, fault = classify_status(response.status)
    target = host_and_port(request)
    is_delivered = verdict is Verdict.DELIVERED
    wait_s = None if is_delivered else retry_after_s(CaseInsensitiveDict(response.headers), time.time())
    is_plain = request.origin[0] == "http"
    is_forwarded = is_plain and session.route(request.origin).is_forwarded
    if is_forwarded and (failure := describe_proxy_failure(response)) is not None:
        # The target has answered nothing.
        return Outcome(Verdict.RETRY, True, "proxy", f"the proxy for {target} {failure}", retry_after_s=wait_s)
    cause = f"{target} answered {response.status}{_status_phrase(response.status)}"
    reason = "delivered" if is_delivered else f"http_{response.status}"
    if verdict is Verdict.UNKNOWN:
        cause += ": a gateway that heard nothing from the service behind it, which may have run"
    if is_plain and is_tls_port_response(response):
        cause += f": its port speaks TLS, {NEEDS_HTTPS}"
    elif not is_plain and is_certificate_response(response):
        cause += f": it {name_certificate(target)}"
    return Outcome(verdict, True, reason, cause, response.status, wait_s, response, fault=fault)


def classify_error(
    error: Exception, request: SignedRequest, deadline: RequestDeadline, timeout_s: float, session: Session
) -> Outcome:
    """The outcome of `request`, which ended in `error` in place of an answer.

    `deadline` knows how far it came. `timeout_s` is how long each read waited. Where the target closed the connection
    without an answer, its port is tried for TLS, so that `cause` can name the remedy.
    """
    target = host_and_port(request)
    if isinstance(error, Denied):
        return Outcome(Verdict.GIVE_UP, False, "denied", error.cause, fault=Fault.REQUEST)
    if deadline.has_sent:
        if deadline.is_over():
            cause = f"{target} had not answered when the total deadline of {deadline.total_s:g} s was over"
            return Outcome(Verdict.UNKNOWN, True, "deadline", cause, fault=Fault.ANSWER)
        certificate = session.route(request.origin, request.tls).tls.certificate
        if (rejection := classify_tls_rejection(error, target, certificate)) is not None:
            return Outcome(Verdict.RETRY, True, *rejection, fault=Fault.CONNECTION)
        reason, cause = classify_missing_response(error, timeout_s, target)
        if reason == "connection_lost" and session.speaks_tls(request.origin):
            cause += f", and speaks TLS: {NEEDS_HTTPS}"
        return Outcome(Verdict.UNKNOWN, True, reason, cause, fault=Fault.ANSWER)
    if deadline.is_over():
        cause = f"no connection to {target} when the total deadline of {deadline.total_s:g} s was over"
        return Outcome(Verdict.RETRY, False, "deadline", cause, fault=Fault.CONNECTION)
    if deadline.failure is not None:
        reason, cause = deadline.failure
        if reason == "tls" and wants_client_certificate(error):
            cause = describe_client_certificate(target, session.route(request.origin, request.tls).tls.certificate)
        fault = Fault.NONE if reason == "proxy" else Fault.CONNECTION
        return Outcome(Verdict.RETRY, False, reason, cause, fault=fault)
    is_final, (reason, cause) = classify_unsent_error(error, target)
    if reason == "unexpected":
        log.event(events.DELIVERY_CRASHED, error=type(error).__name__, at=place_of(error), target=target)
    if is_final:
        return Outcome(Verdict.GIVE_UP, False, reason, cause, fault=Fault.REQUEST)
    return Outcome(Verdict.RETRY, False, reason, cause, fault=Fault.NONE)


def merge_redirects(outcome: Outcome, redirects: int, rewrite: str) -> Outcome:
    """The outcome of an attempt of which `outcome` is that of the last request, after so many `redirects`.

    `rewrite` says how a redirect changed the request, empty for not at all.

    Something was sent if there was a request before. And once a redirect has turned the request into a GET (RFC 9110,
    15.4), the target has taken the original one: that the GET may be repeated does not mean that the original may.
    """
    if redirects == 0:
        return outcome
    if outcome.reason == "denied":
        return replace(outcome, sent=True, cause=f"redirected to a place that may not be called: {outcome.cause}")
    if not rewrite:
        return replace(outcome, sent=True)
    outcome = replace(outcome, sent=True, redirected=rewrite, cause=f"{outcome.cause}; {rewrite}")
    if outcome.verdict is Verdict.RETRY:
        cause = f"{outcome.cause}; the request itself was answered with a redirect and may have run"
        return replace(outcome, verdict=Verdict.UNKNOWN, cause=cause)
    return outcome


def reject_redirect(request: SignedRequest, status: int, problem: str) -> Outcome:
    """The outcome of `request`, whose answer with `status` is a redirect that cannot be followed."""
    cause = f"{host_and_port(request)} {problem}"
    return Outcome(Verdict.GIVE_UP, True, "bad_redirect", cause, status=status, fault=Fault.REQUEST, redirected=problem)


def host_and_port(request: SignedRequest) -> str:
    """Host and port that `request` goes to, without anything secret."""
    _, host, port = request.origin
    return f"{host}:{port}"


def _status_phrase(status: int) -> str:
    """What `status` is called, with a space in front; from our own list, never from what the target wrote."""
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""

"""One attempt: a request in, an outcome out."""

import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict
from urllib3.response import BaseHTTPResponse

from longshore.delivery.body import decode_body, read_body
from longshore.delivery.classification import (
    classify_error,
    classify_response,
    host_and_port,
    merge_redirects,
    reject_redirect,
)
from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.outcome import Fault, Outcome, Response, Verdict
from longshore.delivery.redirect import MAX_REDIRECTS
from longshore.delivery.request import OutgoingRequest, prepare
from longshore.delivery.request_deadline import RequestDeadline
from longshore.delivery.resolver import Resolver
from longshore.delivery.send_errors import Unsendable
from longshore.delivery.session import Session
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.network.answer import is_head_truncated, is_status_line_truncated

log = EventLog(__name__)

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

MAX_HEADERS_CHARS = 65_536
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
        self._response_cap = response_cap
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
        start_s = time.perf_counter()
        try:
            prepared = prepare(request, extra, self._secret, time.time())
        except Unsendable as error:
            return Outcome(
                Verdict.GIVE_UP, False, error.reason, error.cause, fault=Fault.REQUEST, duration_ms=_elapsed_ms(start_s)
            )
        except Exception as error:  # a fault of ours, or parts of another type: it must not end the worker's task
            log.event(events.DELIVERY_CRASHED, error=type(error).__name__)
            cause = f"no request can be made of what the mapping gave ({type(error).__name__})"
            return Outcome(
                Verdict.GIVE_UP, False, "bad_request", cause, fault=Fault.REQUEST, duration_ms=_elapsed_ms(start_s)
            )
        headers = _headers_as_text(prepared)
        with RequestDeadline(total_s or self._total_s) as deadline:
            outcome = self._exchange(prepared, deadline, timeout_s or self._timeout_s)
        return replace(outcome, duration_ms=_elapsed_ms(start_s), headers=headers)

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def _exchange(self, request: PreparedRequest, deadline: RequestDeadline, timeout_s: float) -> Outcome:
        """One request, and those it is redirected to."""
        rewrite = ""
        for redirects in range(MAX_REDIRECTS + 1):
            deadline.begin_request()
            try:
                raw = self._session.open(request, timeout_s)
                if deadline.has_expired and is_status_line_truncated(raw):
                    raise TimeoutError("it was the deadline that broke the line off")
            except Exception as error:
                return merge_redirects(
                    classify_error(error, request, deadline, timeout_s, self._session), redirects, rewrite
                )
            body, truncated = read_body(raw, self._response_cap)
            try:
                next_request = self._session.build_redirect(request, raw)
            except Exception:  # requests', urllib3's or urlparse's opinion on what the target wrote
                return reject_redirect(request, raw.status, "redirects to no place that is a URL")
            if next_request is None:
                # A body that lasts until the connection closes looks whole when the watchdog closed it.
                response = _build_response(raw, body, truncated or is_head_truncated(raw) or deadline.has_expired)
                return merge_redirects(classify_response(response, request, self._session), redirects, rewrite)
            if next_request.method != request.method or next_request.body != request.body:
                rewrite = f"redirected to {host_and_port(next_request)}, asked with {next_request.method}"
            request = next_request
        return reject_redirect(request, raw.status, f"redirects more than {MAX_REDIRECTS} times")


def _build_response(raw: BaseHTTPResponse, body: bytes, truncated: bool) -> Response:
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    remaining = MAX_HEADERS_CHARS
    for name, value in raw.headers.itermerged():
        remaining -= len(name) + len(value)
        if remaining >= 0:
            headers[name] = value
    return Response(raw.status, headers, decode_body(body, headers.get("Content-Type", "")), truncated)


def _headers_as_text(request: PreparedRequest) -> Mapping[str, str]:
    """The headers of `request` as text."""
    return {name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}


def _elapsed_ms(start_s: float) -> float:
    return (time.perf_counter() - start_s) * 1_000

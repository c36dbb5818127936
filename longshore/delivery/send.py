"""One attempt: a request in, an outcome out; at once, or in two steps between which nobody need wait."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType

from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.exchange import Exchange, elapsed_ms
from longshore.delivery.outcome import Fault, Outcome, Verdict
from longshore.delivery.redirect import MAX_REDIRECTS
from longshore.delivery.request import OutgoingRequest, Sign, SignedRequest, decode_headers, prepare
from longshore.delivery.request_deadline import RequestDeadline
from longshore.delivery.resolver import Resolver
from longshore.delivery.send_errors import Unsendable
from longshore.delivery.session import Session
from longshore.delivery.target_options import TargetTable, no_targets
from longshore.errors import place_of
from longshore.invocation.tls_section import TlsOptions
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Sender:
    """Sends requests, from any number of threads at once, over shared connections.

    `secret` signs; it is Port's client secret. `timeout_s` is for connecting (looking the name up included) and for
    each read, `total_s` for an attempt as a whole. `verify` False checks no certificate of any target. `pool_size` is
    how many idle connections are kept per origin: as many as threads send. `response_cap` is how many bytes of an
    unpacked response body are kept. `egress_policy` says which hosts may be called, what `targets` gives at the time
    says how. `blocking` is entered by a thread that opens a connection, or reads an answer of which more is to come.
    Make it after a fork, not before: connections are not shared between processes.
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
        targets: Callable[[], TargetTable] = no_targets,
        blocking: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._secret = secret
        self._timeout_s = timeout_s
        self._total_s = total_s
        self._response_cap = response_cap
        self.targets = targets
        self.blocking = blocking
        self._session = Session(
            verify, pool_size, resolver or Resolver(), egress_policy or EgressPolicy(), self.targets
        )

    def start(
        self,
        request: OutgoingRequest,
        extra: Mapping[str, str] = NO_HEADERS,
        timeout_s: float | None = None,
        total_s: float | None = None,
        sign: Sign | None = None,
        tls: TlsOptions | None = None,
    ) -> Outcome | Exchange:
        """Sign `request` and send it, and do not wait for the answer: see `Exchange`.

        An `Outcome` where it ended before: no request came about, or no connection. `extra` headers (the idempotency
        key) give way to mapped ones of the same name. `timeout_s` and `total_s` replace the sender's own, `tls` what
        `targets` has for the origin. `sign` is for a signature beside Port's. Raises nothing for whatever a target, a
        proxy, a name server or the request itself does.
        """
        start_s = time.perf_counter()
        try:
            prepared = prepare(request, extra, self._secret, time.time(), sign, tls)
        except Unsendable as error:
            return _reject_request(error.reason, error.cause, start_s)
        except Exception as error:  # a fault of ours, or parts of another type: it must not end the worker's task
            log.event(events.DELIVERY_CRASHED, error=type(error).__name__, at=place_of(error))
            cause = f"no request can be made of what the mapping gave ({type(error).__name__})"
            return _reject_request("bad_request", cause, start_s)
        return self._begin(prepared, timeout_s or self._timeout_s, total_s or self._total_s, start_s)

    def send(
        self,
        request: OutgoingRequest,
        extra: Mapping[str, str] = NO_HEADERS,
        timeout_s: float | None = None,
        total_s: float | None = None,
        tls: TlsOptions | None = None,
    ) -> Outcome:
        """Sign `request`, send it, follow its redirects, and say what came of it. As `start`, but it waits."""
        return _wait(self.start(request, extra, timeout_s, total_s, tls=tls))

    def fetch(self, request: SignedRequest, timeout_s: float, total_s: float) -> Outcome:
        """Send `request`, one of our own that nobody signs, and wait for its answer; no redirect is followed."""
        return _wait(self._begin(request, timeout_s, total_s, time.perf_counter(), max_redirects=0))

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def _begin(
        self,
        request: SignedRequest,
        timeout_s: float,
        total_s: float,
        start_s: float,
        max_redirects: int = MAX_REDIRECTS,
    ) -> Outcome | Exchange:
        deadline, headers = RequestDeadline(total_s, self.blocking), decode_headers(request.headers)
        exchange = Exchange(self._session, deadline, timeout_s, self._response_cap, headers, start_s, max_redirects)
        return exchange.begin(request)


def _wait(step: Outcome | Exchange) -> Outcome:
    while isinstance(step, Exchange):
        step = step.complete()
    return step


def _reject_request(reason: str, cause: str, start_s: float) -> Outcome:
    """The outcome of what never became a request."""
    return Outcome(Verdict.GIVE_UP, False, reason, cause, fault=Fault.REQUEST, duration_ms=elapsed_ms(start_s))

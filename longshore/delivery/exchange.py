"""An attempt whose request has left: its answer is waited for by whoever likes, and read when it is there.

While it waits it is a connection and this object, no thread: a selector on `socket` does for any number. The attempt's
deadline goes on meanwhile. When it is over, the watchdog shuts the socket down, which makes it readable.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from longshore.delivery.body import decode_body, read_body
from longshore.delivery.classification import (
    classify_error,
    classify_response,
    host_and_port,
    merge_redirects,
    reject_redirect,
)
from longshore.delivery.outcome import Outcome, Response
from longshore.delivery.redirect import MAX_REDIRECTS
from longshore.delivery.request import SignedRequest
from longshore.delivery.request_deadline import RequestDeadline
from longshore.delivery.session import Session
from longshore.network.answer import BoundedResponse
from longshore.network.pooled_request import SentRequest

MAX_HEADERS_CHARS = 65_536
"""Characters of response headers that are kept; the standard library would take 6 MB."""


class Exchange:
    """One attempt, from its first request to the answer to the last; by one thread at a time, whichever.

    Wait until `socket` is readable (not at all if `has_buffered_data`), but no longer than `timeout_s`; then
    `complete` it. Whoever gives it up must `close` it. Raises nothing, as `Sender.send`. If the process dies, the
    request may have been acted on.
    """

    def __init__(
        self,
        session: Session,
        deadline: RequestDeadline,
        timeout_s: float,
        response_cap: int,
        headers: Mapping[str, str],
        start_s: float,
        max_redirects: int = MAX_REDIRECTS,
    ) -> None:
        """`headers` are those of the first request; `start_s` is when the attempt began (`time.perf_counter`)."""
        self.timeout_s = timeout_s
        self._session = session
        self._deadline = deadline
        self._response_cap = response_cap
        self._headers = headers
        self._start_s = start_s
        self._request: SignedRequest
        self._sent: SentRequest | None = None
        self._max_redirects = max_redirects
        self._redirects = 0
        self._rewrite = ""

    @property
    def socket(self) -> Any:
        """What becomes readable; another one after a redirect. It has a `fileno`."""
        return self._unanswered.socket

    @property
    def is_redirected(self) -> bool:
        """Whether the last request is one that an answer led to."""
        return self._redirects > 0

    def has_buffered_data(self) -> bool:
        """Is something of the answer here already, for which `socket` need not become readable again?"""
        return self._unanswered.has_buffered_data()

    def wait(self, timeout_s: float) -> bool:
        """Wait in this thread until there is something to read; False if nothing came within `timeout_s`."""
        return self._unanswered.wait(timeout_s)

    def begin(self, request: SignedRequest) -> "Outcome | Exchange":
        """Send `request`: the first of the attempt."""
        return self._work(lambda: self._send(request))

    def complete(self, timed_out: bool = False, polled: bool = False) -> "Outcome | Exchange":
        """Read the answer, or itself with the next request sent if the answer was a redirect.

        Each read waits for up to `timeout_s`. `timed_out` says that the first of them has waited that long already;
        `polled` that `socket` became readable, so that none need wait for an answer of which nothing has come: that
        was TLS's own, and it is itself, to be waited for again.
        """
        return self._work(lambda: self._receive(timed_out, polled))

    def close(self) -> None:
        """Give it up, with its connection, whatever comes of the request."""
        if self._sent is not None:
            self._sent.close()
        self._deadline.end()

    @property
    def _unanswered(self) -> SentRequest:
        if self._sent is None:
            raise RuntimeError("the exchange has ended")
        return self._sent

    def _work(self, step: Callable[[], Outcome | None]) -> "Outcome | Exchange":
        """What `step` comes to within the attempt's deadline: an outcome, or None for another answer to wait for."""
        ended = True
        self._deadline.enter()
        try:
            outcome = step()
            ended = outcome is not None
        finally:
            if ended:
                self._deadline.end()
            else:
                self._deadline.leave()
        if outcome is None:
            return self
        outcome.duration_ms, outcome.headers = elapsed_ms(self._start_s), self._headers
        return outcome

    def _send(self, request: SignedRequest) -> Outcome | None:
        self._request = request
        self._deadline.begin_request()
        try:
            self._sent = self._session.send(request, self.timeout_s)
        except Exception as error:
            return self._fail(error)
        return None

    def _receive(self, timed_out: bool, polled: bool) -> Outcome | None:
        sent, self._sent = self._unanswered, None
        try:
            if (timed_out or polled) and not sent.has_answer():
                if not timed_out:
                    self._sent = sent
                    return None
                sent.close()
                raise TimeoutError("no answer within the time for a read")
            waits = not (polled and sent.is_answer_whole())
        except Exception as error:
            return self._fail(error)
        with self._deadline.blocking() if waits else nullcontext():
            return self._read(sent)

    def _read(self, sent: SentRequest) -> Outcome | None:
        try:
            response = sent.receive(self.timeout_s)
        except Exception as error:
            return self._fail(error)
        try:
            step = self._evaluate(response)
        finally:
            sent.release()
        return step if isinstance(step, Outcome) else self._follow(step, response.status)

    def _evaluate(self, response: BoundedResponse) -> Outcome | SignedRequest:
        session, request = self._session, self._request
        session.note_answer(request.origin)
        if self._deadline.has_expired and response.is_status_line_truncated:
            return self._fail(TimeoutError("it was the deadline that broke the line off"))
        body, truncated = read_body(response, self._response_cap)
        try:
            next_request = session.build_redirect(request, response)
        except Exception:  # requests', urllib3's or urlparse's opinion on what the target wrote
            return reject_redirect(request, response.status, "redirects to no place that is a URL")
        if next_request is not None:
            return next_request
        # A body that lasts until the connection closes looks whole when the watchdog closed it.
        truncated = truncated or response.is_truncated or self._deadline.has_expired
        return self._merge(classify_response(_build_response(response, body, truncated), request, session))

    def _follow(self, request: SignedRequest, status: int) -> Outcome | None:
        """Send the request that the last one was redirected to with `status`."""
        if self._redirects == self._max_redirects:
            return reject_redirect(request, status, f"redirects more than {self._max_redirects} times")
        self._redirects += 1
        if request.method != self._request.method or request.body != self._request.body:
            self._rewrite = f"redirected to {host_and_port(request)}, asked with {request.method}"
        return self._send(request)

    def _fail(self, error: Exception) -> Outcome:
        return self._merge(classify_error(error, self._request, self._deadline, self.timeout_s, self._session))

    def _merge(self, outcome: Outcome) -> Outcome:
        return merge_redirects(outcome, self._redirects, self._rewrite)


def elapsed_ms(start_s: float) -> float:
    """Milliseconds since `start_s` (`time.perf_counter`)."""
    return (time.perf_counter() - start_s) * 1_000


def _build_response(response: BoundedResponse, body: bytes, truncated: bool) -> Response:
    headers: dict[str, str] = {}
    remaining = MAX_HEADERS_CHARS
    for name, value in response.fields.values():
        remaining -= len(name) + len(value)
        if remaining >= 0:
            headers[name] = value
    return Response(response.status, headers, decode_body(body, response.find("content-type")), truncated)

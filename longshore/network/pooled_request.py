"""One request over a pooled connection in two steps, so that no thread need wait for its answer.

This is what `urllib3`'s pools do in one go, without retries and redirects: take a connection, open a proxy's tunnel,
send, read the head, give the connection back. The methods are internal there, as those of `connections.py`.
"""

import errno
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from urllib3.exceptions import HTTPError, ProxyError
from urllib3.util import wait_for_read

from longshore.network.answer import BoundedResponse
from longshore.network.connections import has_unread_tls_data
from longshore.network.request_head import encode_target


class SentRequest:
    """A request that has left. Ends with `release` after `receive`, or with `close` in place of both."""

    def __init__(self, pool: Any, conn: Any, method: str) -> None:
        self._pool = pool
        self._conn = conn
        self._method = method
        self._response: BoundedResponse

    @property
    def socket(self) -> Any:
        """What becomes readable when the answer comes, when the connection ends, or for TLS's own messages."""
        return self._conn.sock

    def has_buffered_data(self) -> bool:
        """Has TLS taken something of the answer in already, for which the socket will not become readable again?"""
        return has_unread_tls_data(self._conn.sock)

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is something to read; False if nothing came within `timeout_s`."""
        return self.has_buffered_data() or wait_for_read(self._conn.sock, timeout=timeout_s)

    def is_readable(self) -> bool:
        """Would reading wait for nothing?"""
        return self.wait(0.0)

    def has_answer(self) -> bool:
        """Has the answer begun, or the connection ended? Not where only TLS's own messages came.

        Raises OSError; the connection is closed then.
        """
        try:
            return self.is_readable() and self._conn.has_response(self._method)
        except BaseException:
            self.close()
            raise

    def is_answer_whole(self) -> bool:
        """Can the answer that has begun (`has_answer`) be read without waiting for more of it?"""
        return bool(self._conn.is_response_whole())

    def receive(self, timeout_s: float) -> BoundedResponse:
        """The head of the answer; no read of it and of the body waits for longer than `timeout_s`.

        Raises OSError and HTTPException; the connection is closed then.
        """
        self._conn.timeout = timeout_s
        try:
            self._response = self._conn.read_response(self._method)
        except BaseException:
            self.close()
            raise
        return self._response

    def release(self) -> None:
        """Give the connection back; closed, unless the body was read to its end."""
        if not self._response.isclosed():
            self._response.close()
            self._conn.close()
        self._pool._put_conn(self._conn)

    def close(self) -> None:
        """Give the connection up: an answer may still come, which must not be the next request's."""
        self._conn.close()
        self._pool._put_conn(None)


def send_request(
    pool: Any,
    method: str,
    request_target: str,
    headers: Mapping[str, str | bytes],
    body: bytes | None,
    timeout_s: float,
    host: str = "",
) -> SentRequest:
    """Send a request over a connection of `pool`, a new one where none is idle.

    `request_target` is what the first line names: a path, or the whole URL for a proxy that opens no tunnel.
    `timeout_s` is for connecting, and for how long a write may be stuck. `host` is the `Host` to send in place of the
    target's. A target that reads no more may have answered all the same (a body too large, no client certificate), so
    that is no error here. Raises what `urllib3`'s connections raise, and ProxyError in its place when it is the proxy's
    fault.
    """
    request_target = encode_target(request_target)
    is_forwarded = not request_target.startswith("/")
    if is_forwarded and pool.proxy_headers:
        headers = {**headers, **pool.proxy_headers}
    conn = None
    try:
        conn = pool._get_conn()
        conn.timeout = timeout_s
        if pool.proxy is not None and not is_forwarded and conn.is_closed:
            pool._prepare_proxy(conn)
        pool._validate_conn(conn)
        try:
            conn.write_request(method, request_target, headers, body, host)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET) and not isinstance(error, ssl.SSLEOFError):
                raise
    except BaseException as error:
        is_proxy_failure = conn is not None and conn.proxy and not conn.has_connected_to_proxy
        if conn is not None:
            conn.close()
        pool._put_conn(None)
        if is_proxy_failure and isinstance(error, OSError | HTTPException | HTTPError):
            raise ProxyError("no way through the proxy", error) from error
        raise
    return SentRequest(pool, conn, method)

"""One request over a pooled connection in two steps, so that no thread need wait for its answer.

This is what `urllib3`'s pools do in one go, without retries and redirects: take a connection, open a proxy's tunnel,
send, read the head, give the connection back. The methods are internal there, as those of `connections.py`.
"""

import errno
from collections.abc import Mapping
from typing import Any

from urllib3.response import BaseHTTPResponse
from urllib3.util import parse_url, wait_for_read
from urllib3.util.url import _encode_target

from longshore.network.connections import has_unread_tls_data


class SentRequest:
    """A request that has left, and whose answer was not read yet. Ends with `receive` or `close`, not with both."""

    def __init__(self, pool: Any, conn: Any) -> None:
        self._pool = pool
        self._conn = conn

    @property
    def socket(self) -> Any:
        """What becomes readable when the answer comes, when the connection ends, or for TLS's own messages."""
        return self._conn.sock

    def has_buffered_data(self) -> bool:
        """Has TLS taken something of the answer in already, for which the socket will not become readable again?"""
        return has_unread_tls_data(self._conn.sock)

    def is_readable(self) -> bool:
        """Would reading wait for nothing?"""
        return self.has_buffered_data() or wait_for_read(self._conn.sock, timeout=0.0)

    def receive(self, timeout_s: float) -> BaseHTTPResponse:
        """The answer, its body unread; no read of it waits for longer than `timeout_s`.

        Closing or reading the response to its end gives the connection back. Raises OSError and HTTPException.
        """
        self._conn.timeout = timeout_s
        try:
            response: BaseHTTPResponse = self._conn.getresponse()
        except BaseException:
            self.close()
            raise
        response._connection = self._conn  # type: ignore[attr-defined]
        response._pool = self._pool  # type: ignore[attr-defined]
        return response

    def close(self) -> None:
        """Give the connection up: an answer may still come, which must not be the next request's."""
        self._conn.close()
        self._pool._put_conn(None)


def send_request(
    pool: Any,
    method: str,
    request_target: str,
    headers: Mapping[str, Any],
    body: bytes | str | None,
    timeout_s: float,
) -> SentRequest:
    """Send a request over a connection of `pool`, a new one where none is idle.

    `request_target` is what the first line names: a path, or the whole URL for a proxy that opens no tunnel.
    `timeout_s` is for connecting, and for how long a write may be stuck. A target that reads no more may have answered
    all the same (a body too large), so that is no error here. Raises what `urllib3`'s connections raise.
    """
    if is_path := request_target.startswith("/"):
        request_target = _encode_target(request_target)
    else:
        request_target = parse_url(request_target)._replace(fragment=None).url
        headers = {**headers, **pool.proxy_headers}
    conn = None
    try:
        conn = pool._get_conn()
        conn.timeout = timeout_s
        if is_path and pool.proxy is not None and conn.is_closed:
            pool._prepare_proxy(conn)
        pool._validate_conn(conn)
        try:
            options = {"preload_content": False, "decode_content": False}
            conn.request(method, request_target, body=body, headers=headers, **options)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                raise
    except BaseException:
        if conn is not None:
            conn.close()
        pool._put_conn(None)
        raise
    return SentRequest(pool, conn)

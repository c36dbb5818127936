"""One request of a client to where it goes, and the response back to the client while it comes."""

import ssl
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream
from tornado.tcpclient import TCPClient

CONNECT_S = 60.0
MAX_HEAD_BYTES = 262_144
MAX_RECORDED_BYTES = 8_388_608
"""Bytes of a response that are recorded; all of it is passed on."""
UNBOUNDED = 1 << 62

_OF_ONE_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers between two neighbours (RFC 9110, 7.6.1): all others are passed on."""

NO_CONNECTION, NO_ANSWER = "no connection", "no answer"
"""Why there is no response."""


@dataclass(slots=True)
class Passage:
    """What has passed: the response as far as it came."""

    status: int = 0
    headers: HTTPHeaders = field(default_factory=HTTPHeaders)
    body: bytearray = field(default_factory=bytearray)
    is_truncated: bool = False
    is_complete: bool = False
    failure: str = ""
    """Why there is no response; empty where there is one."""
    problem: str = ""
    """The same in the words of the system."""


async def connect(host: str, port: int, tls: ssl.SSLContext | None = None) -> IOStream:
    """A connection to there. Raises OSError, which includes errors of TLS and of time."""
    return await TCPClient().connect(host, port, ssl_options=tls, timeout=CONNECT_S)


async def pass_on(
    method: str, url: str, headers: HTTPHeaders, body: bytes, client: HTTP1Connection, tls: ssl.SSLContext
) -> Passage:
    """Send the request to the host of `url`, and write what comes back to `client` as it comes. Raises nothing.

    Without a response, the client's connection is closed: for the client that is what it is without a proxy, no
    answer, and not the answer of a proxy.
    """
    passage = Passage()
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        stream = await connect(parts.hostname or "", port, tls if parts.scheme == "https" else None)
    except (OSError, ValueError, UnicodeError) as error:
        passage.failure, passage.problem = NO_CONNECTION, type(error).__name__
        client.close()
        return passage
    client.set_close_callback(stream.close)  # who is no longer waited for need not answer
    try:
        params = HTTP1ConnectionParameters(
            no_keep_alive=True, max_header_size=MAX_HEAD_BYTES, max_body_size=UNBOUNDED, decompress=False
        )
        connection = HTTP1Connection(stream, True, params)
        target = url.split("/", 3)[3] if url.count("/") > 2 else ""
        await connection.write_headers(
            RequestStartLine(method, f"/{target}", "HTTP/1.1"), _forward(headers, body), body
        )
        connection.finish()
        await connection.read_response(_Response(method, client, passage))
    except Exception as error:
        # Of either side, which may end at any time, and of what is no HTTP; nothing of it is ours.
        passage.problem = passage.problem or type(error).__name__
    finally:
        stream.close()
    if not passage.status:
        passage.failure = NO_ANSWER
    if not passage.is_complete:
        client.close()
    return passage


def without_hop(headers: HTTPHeaders) -> HTTPHeaders:
    """`headers` without those that are for the next neighbour only."""
    extra_names = {name.strip().lower() for value in headers.get_list("Connection") for name in value.split(",")}
    kept_headers = HTTPHeaders()
    for name, value in headers.get_all():
        if name.lower() not in _OF_ONE_HOP and name.lower() not in extra_names:
            kept_headers.add(name, value)
    return kept_headers


def _forward(headers: HTTPHeaders, body: bytes) -> HTTPHeaders:
    forwarded = without_hop(headers)
    if body:
        forwarded["Content-Length"] = str(len(body))
    forwarded["Connection"] = "close"
    return forwarded


class _Response(HTTPMessageDelegate):
    """Writes a response to the client, and keeps what is recorded of it."""

    def __init__(self, method: str, client: HTTP1Connection, passage: Passage) -> None:
        self._method = method
        self._client = client
        self._passage = passage

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        line = cast(ResponseStartLine, start_line)
        if 100 <= line.code < 200:
            return None  # another one follows
        self._passage.status, self._passage.headers = line.code, headers
        answer = ResponseStartLine("HTTP/1.1", line.code, line.reason)
        return self._client.write_headers(answer, without_hop(headers))

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        room = MAX_RECORDED_BYTES - len(self._passage.body)
        self._passage.body += chunk[:room]
        self._passage.is_truncated = self._passage.is_truncated or len(chunk) > room
        return self._client.write(chunk)

    def finish(self) -> None:
        if self._passage.status:
            self._passage.is_complete = True
            self._client.finish()

    def on_connection_close(self) -> None:
        self._passage.problem = "connection closed"

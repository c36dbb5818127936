"""The forward proxy towards its clients: requests with a whole URL, and tunnels.

A tunnel is passed on unseen, or with a CA of the user's choice opened: then what comes through it is handled like any
other request.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters, HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import bind_sockets

from longshore.operations.shadow.authority import Authority
from longshore.operations.shadow.passage import MAX_HEAD_BYTES, Passage, connect, pass_on

MAX_BODY_BYTES = 33_554_432
"""Most bytes of a request: twice the largest message that Longshore takes. A larger one is answered with 413."""
CHUNK_BYTES = 65_536
TLS_S = 30.0


@dataclass(frozen=True, slots=True)
class ProxiedRequest:
    """A request as it came; `url` is whole."""

    client: str
    """The address of the client, without its port."""
    method: str
    url: str
    headers: HTTPHeaders
    body: bytes


OnPassage = Callable[[ProxiedRequest, Passage], None]
OnTunnel = Callable[[str], None]


class Proxy:
    """Listens until its event loop ends. All callbacks are called on that loop, and must not wait."""

    def __init__(
        self,
        on_passage: OnPassage,
        on_tunnel: OnTunnel,
        authority: Authority | None = None,
        verifies: Callable[[str], bool] = lambda host: True,
    ) -> None:
        """`on_tunnel` is called with `host:port` of each tunnel passed on unseen: of all without `authority`.

        `verifies` says whether the certificate of a host is checked.
        """
        self.on_passage = on_passage
        self.on_tunnel = on_tunnel
        self.authority = authority
        # Trusts what SSL_CERT_FILE names, as all our programs do.
        self._verified_tls = ssl.create_default_context()
        self._unverified_tls = ssl.create_default_context()
        self._unverified_tls.check_hostname, self._unverified_tls.verify_mode = False, ssl.CERT_NONE
        self._verifies = verifies

    def find_tls(self, url: str) -> ssl.SSLContext:
        """With what the host of `url` is spoken to."""
        return self._verified_tls if self._verifies(urlsplit(url).hostname or "") else self._unverified_tls

    def listen(self, host: str, port: int) -> int:
        """Listen there, on a free port for 0; returns the port. Raises OSError."""
        sockets = bind_sockets(port, host)
        server = HTTPServer(
            _Connections(self), max_body_size=MAX_BODY_BYTES, max_header_size=MAX_HEAD_BYTES, decompress_request=False
        )
        server.add_sockets(sockets)
        return int(sockets[0].getsockname()[1])


class _Connections(HTTPServerConnectionDelegate):
    """Of clients, or with an `origin` (`https://host:port`) of one tunnel that was opened."""

    def __init__(self, proxy: Proxy, origin: str = "", client: str = "") -> None:
        self._proxy = proxy
        self._origin = origin
        self._client = client

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        connection = cast(HTTP1Connection, request_conn)
        client = self._client or getattr(connection.context, "remote_ip", None) or "?"
        return _Request(self._proxy, connection, self._origin, client)


class _Request(HTTPMessageDelegate):
    """One request of a client."""

    def __init__(self, proxy: Proxy, connection: HTTP1Connection, origin: str, client: str) -> None:
        self._proxy = proxy
        self._connection = connection
        self._origin = origin
        self._client = client
        self._body = bytearray()

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._line, self._headers = cast(RequestStartLine, start_line), headers
        if self._line.method == "CONNECT" and not self._origin:
            return self._open_tunnel(self._connection.detach())
        return None

    def data_received(self, chunk: bytes) -> None:
        self._body += chunk

    def finish(self) -> None:
        url = self._origin + self._line.path
        if urlsplit(url).scheme not in ("http", "https"):
            self._refuse(400, "This is the proxy of longshore shadow record: name it in HTTP_PROXY.")
            return
        request = ProxiedRequest(self._client, self._line.method, url, self._headers, bytes(self._body))
        _start(self._pass_on(request))

    async def _pass_on(self, request: ProxiedRequest) -> None:
        passage = await pass_on(
            request.method,
            request.url,
            request.headers,
            request.body,
            self._connection,
            self._proxy.find_tls(request.url),
        )
        self._proxy.on_passage(request, passage)

    def _refuse(self, status: int, text: str) -> None:
        body = text.encode()
        headers = HTTPHeaders({"Content-Type": "text/plain", "Content-Length": str(len(body))})
        self._connection.write_headers(ResponseStartLine("HTTP/1.1", status, "Refused"), headers, body)
        self._connection.finish()

    async def _open_tunnel(self, stream: IOStream) -> None:
        host, _, port = self._line.path.rpartition(":")
        host = host.strip("[]")
        if not host or not port.isdecimal():
            stream.close()
        elif self._proxy.authority is None:
            _start(self._pass_tunnel(stream, host, int(port)))
        else:
            _start(self._serve_tunnel(stream, host, self._proxy.authority))

    async def _pass_tunnel(self, stream: IOStream, host: str, port: int) -> None:
        self._proxy.on_tunnel(self._line.path)
        try:
            upstream = await connect(host, port)
        except (OSError, UnicodeError):
            await _write(stream, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            stream.close()
            return
        await _write(stream, b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pump(stream, upstream), _pump(upstream, stream))

    async def _serve_tunnel(self, stream: IOStream, host: str, authority: Authority) -> None:
        await _write(stream, b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            encrypted = await asyncio.wait_for(stream.start_tls(True, authority.context(host)), TLS_S)
        except (OSError, TimeoutError, UnicodeError):
            # Also where the client does not trust the CA: it says so itself.
            self._proxy.on_tunnel(f"{self._line.path} (TLS failed: the client may not trust the CA)")
            stream.close()
            return
        params = HTTP1ConnectionParameters(max_header_size=MAX_HEAD_BYTES, max_body_size=MAX_BODY_BYTES)
        connections = _Connections(self._proxy, f"https://{self._line.path}", self._client)
        HTTP1ServerConnection(encrypted, params).start_serving(connections)


_TASKS: set["asyncio.Task[None]"] = set()
"""The event loop keeps only weak references to tasks."""


def _start(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)


async def _write(stream: IOStream, data: bytes) -> None:
    try:
        await stream.write(data)
    except StreamClosedError:
        pass  # whoever asked has gone


async def _pump(source: IOStream, sink: IOStream) -> None:
    """Copy bytes until one side ends; then both are over."""
    try:
        while True:
            await sink.write(await source.read_bytes(CHUNK_BYTES, partial=True))
    except (StreamClosedError, OSError):
        pass
    finally:
        source.close()
        sink.close()

"""A small HTTP/1.1 server for the sandbox: one thread and one event loop carry hundreds of connections.

Owns sockets, keep-alive and the ways of answering badly: late, in drips, never. What to answer is the handler's
business; it runs on the loop's thread and must not wait.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

_T = TypeVar("_T")

HEAD_MAX = 65_536
BODY_MAX = 33_554_432
"""Most bytes of a request: twice the largest message Longshore takes."""

BACKLOG = 1024
"""Connections that may wait to be accepted; several hundred arrive at once."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; header names in lower case, `path` with its query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer: after `delay_s` seconds, and byte by byte every `drip_s` seconds if that is not 0."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    drip_s: float = 0.0


Handler = Callable[[Request], Answer | None]
"""Gives the answer to a request; None leaves it without one until the client goes."""


class HttpServer:
    """Listens on any number of ports, each with its handler, until it is stopped."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._ports: dict[int, _Port] = {}

    def start(self) -> None:
        """Start the thread; ports are opened with `listen`."""
        self._thread.start()

    def listen(self, host: str, port: int, handler: Handler) -> int:
        """Serve `handler` on this port (0 = a free one) and return the port. Raises OSError when it is taken."""
        return self._run(self._listen(host, port, handler))

    def close(self, port: int) -> None:
        """Stop listening on this port and cut its connections."""
        self._run(self._close(port))

    def stop(self) -> None:
        """Close everything at once, requests without an answer too. Nothing happens on a second call."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            for port in list(self._ports):
                self.close(port)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, host: str, port: int, handler: Handler) -> int:
        connections = _Connections()
        server = await self._loop.create_server(lambda: _Connection(handler, connections), host, port, backlog=BACKLOG)
        number = int(server.sockets[0].getsockname()[1])
        self._ports[number] = _Port(server, connections)
        return number

    async def _close(self, port: int) -> None:
        found = self._ports.pop(port, None)
        if found is None:
            return
        found.server.close()
        found.connections.closed = True
        for connection in list(found.connections):
            connection.abort()
        # Two turns of the loop, in which the transports really close their sockets.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@dataclass(slots=True)
class _Port:
    server: asyncio.Server
    connections: "_Connections"


class _Connections(set["_Connection"]):
    """Those of one port. `closed`: no more may come, also of those that were accepted and are not made yet."""

    closed = False


@dataclass(slots=True)
class _Head:
    """The parsed head of the request being read; `start` is where its body begins."""

    method: str
    path: str
    headers: dict[str, str]
    start: int
    length: int
    keep: bool = field(default=True)


class _Connection(asyncio.Protocol):
    """One client: requests are answered one after the other, as HTTP/1.1 wants it."""

    def __init__(self, handler: Handler, connections: _Connections) -> None:
        self._handler = handler
        self._connections = connections
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected. Small answers must not wait for Nagle's algorithm; asyncio sees to it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)
        if self._connections.closed:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went, or we cut it off."""
        self._connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        """Cut the connection without another byte."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes came: answer as soon as they are a whole request."""
        self._buffer += data
        if len(self._buffer) > HEAD_MAX + BODY_MAX:
            self.abort()
        elif not self._busy:
            self._next()

    def _next(self) -> None:
        if self._head is None and not self._read_head():
            return
        head = self._head
        assert head is not None
        end = head.start + head.length
        if len(self._buffer) < end:
            return
        body = bytes(self._buffer[head.start : end])
        del self._buffer[:end]
        self._head, self._busy = None, True
        answer = self._handler(Request(head.method, head.path, head.headers, body))
        if answer is None:
            return
        if answer.delay_s > 0:
            self._later(answer.delay_s, self._answer, answer, head)
        else:
            self._answer(answer, head)

    def _read_head(self) -> bool:
        """Parse the head if all of it is there; a request we cannot read is refused and the connection closed."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_MAX:
                self._refuse(431)
            return False
        try:
            self._head = _parse(self._buffer[:end].decode("latin-1"), end + 4)
        except ValueError:
            self._refuse(400)
            return False
        if self._head.length > BODY_MAX:
            self._head = None
            self._refuse(413)
            return False
        if self._head.headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _refuse(self, status: int) -> None:
        self._busy = True
        self._answer(Answer(status), _Head("", "", {}, 0, 0, keep=False))

    def _answer(self, answer: Answer, head: _Head) -> None:
        bare = head.method == "HEAD" or answer.status in (204, 304)
        lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if answer.status != 204:
            lines.append(f"Content-Length: {len(answer.body)}")
        if answer.body:
            lines.append(f"Content-Type: {answer.content_type}")
        if not head.keep:
            lines.append("Connection: close")
        start = "\r\n".join([*lines, "\r\n"]).encode("latin-1")
        body = b"" if bare else answer.body
        if answer.drip_s > 0:
            self._transport.write(start)
            self._drip(body, answer.drip_s, head.keep)
        else:
            self._transport.write(start + body)
            self._done(head.keep)

    def _drip(self, body: bytes, every_s: float, keep: bool) -> None:
        self._transport.write(body[:1])
        if len(body) > 1:
            self._later(every_s, self._drip, body[1:], every_s, keep)
        else:
            self._done(keep)

    def _done(self, keep: bool) -> None:
        self._busy = False
        if not keep:
            self._transport.close()
        elif self._buffer:
            # Not at once: a client that sends a thousand requests in one piece would be a thousand calls deep.
            asyncio.get_running_loop().call_soon(self._more)

    def _more(self) -> None:
        if not self._busy and not self._transport.is_closing():
            self._next()

    def _later(self, seconds: float, call: Callable[..., None], *args: Any) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, call, *args)


def _parse(text: str, start: int) -> _Head:
    """The head of a request. Raises ValueError for what this server does not read, chunked bodies among it."""
    first, *lines = text.split("\r\n")
    method, path, version = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("a header line without a colon")
        headers[name.strip().lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise ValueError("a body without a length")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise ValueError("a length that is no number")
    options = headers.get("connection", "").lower()
    keep = options != "close" if version == "HTTP/1.1" else options == "keep-alive"
    return _Head(method, path, headers, start, int(length), keep)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def closed_port(host: str) -> socket.socket:
    """A socket that holds a port on which nothing listens: connecting to it is refused for as long as it is open."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((host, 0))
    return holder

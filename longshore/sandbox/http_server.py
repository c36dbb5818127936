"""Tornado's HTTP server for the sandbox: one thread and one event loop carry hundreds of connections.

Owns the thread, the ports and the ways of answering badly: late, in drips, never. What to answer is the handler's
business; it runs on the loop's thread and must not wait.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar, cast

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.netutil import bind_sockets

_Result = TypeVar("_Result")

MAX_BODY_BYTES = 33_554_432
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
class HttpAnswer:
    """What to answer: after `delay_s` seconds, and byte by byte every `drip_s` seconds if that is not 0."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    drip_s: float = 0.0


Handler = Callable[[Request], HttpAnswer | None]
"""Gives the answer to a request; None leaves it without one until the client goes."""


class HttpServer:
    """Listens on any number of ports, each with its handler, until it is stopped."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._ports: dict[int, HTTPServer] = {}

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
            self._run(_end_tasks())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, host: str, port: int, handler: Handler) -> int:
        sockets = bind_sockets(port, host, backlog=BACKLOG)
        server = HTTPServer(_Exchanges(handler), max_body_size=MAX_BODY_BYTES)
        server.add_sockets(sockets)
        number = int(sockets[0].getsockname()[1])
        self._ports[number] = server
        return number

    async def _close(self, port: int) -> None:
        server = self._ports.pop(port, None)
        if server is not None:
            server.stop()
            await server.close_all_connections()


async def _end_tasks() -> None:
    """What is left of late answers and of connections, so that the loop closes without a warning."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Exchanges(HTTPServerConnectionDelegate):
    """Begins an exchange for each request on the connections of one port."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        return _Exchange(self._handler, cast(HTTP1Connection, request_conn))


class _Exchange(HTTPMessageDelegate):
    """One request and its answer."""

    def __init__(self, handler: Handler, connection: HTTP1Connection) -> None:
        self._handler = handler
        self._connection = connection
        self._body: list[bytes] = []

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        self._line = cast(RequestStartLine, start_line)
        self._headers = {name.lower(): value for name, value in headers.items()}

    def data_received(self, chunk: bytes) -> None:
        self._body.append(chunk)

    def finish(self) -> None:
        request = Request(self._line.method, self._line.path, self._headers, b"".join(self._body))
        answer = self._handler(request)
        if answer is None:
            return
        if answer.delay_s > 0 or answer.drip_s > 0:
            task = asyncio.get_running_loop().create_task(self._answer_late(answer))
            # The client may go, or be cut off, before.
            self._connection.set_close_callback(partial(_cancel, task))
        else:
            self._begin(answer, self._sent_body(answer))
            self._connection.finish()

    async def _answer_late(self, answer: HttpAnswer) -> None:
        await asyncio.sleep(answer.delay_s)
        body = self._sent_body(answer)
        pieces = [body[at : at + 1] for at in range(len(body))] if answer.drip_s > 0 else [body]
        self._begin(answer, b"".join(pieces[:1]))
        for piece in pieces[1:]:
            await asyncio.sleep(answer.drip_s)
            self._connection.write(piece)
        self._connection.finish()

    def _begin(self, answer: HttpAnswer, piece: bytes) -> None:
        headers = HTTPHeaders()
        for name, value in answer.headers:
            headers.add(name, value)
        if answer.status != HTTPStatus.NO_CONTENT:
            headers["Content-Length"] = str(len(answer.body))
        if answer.body:
            headers["Content-Type"] = answer.content_type
        self._connection.write_headers(ResponseStartLine("", answer.status, _phrase(answer.status)), headers, piece)

    def _sent_body(self, answer: HttpAnswer) -> bytes:
        has_no_body = self._line.method == "HEAD" or answer.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        return b"" if has_no_body else answer.body


def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def reserve_closed_port(host: str) -> socket.socket:
    """A socket that holds a port on which nothing listens: connecting to it is refused for as long as it is open."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((host, 0))
    return holder

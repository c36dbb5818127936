"""What stands between an agent and its targets: a forward proxy, and a TLS front for a server that speaks none."""

import asyncio
import base64
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import redis

from longshore.runtime.embedded_redis import HOST, EmbeddedRedis
from tests.support.programs import eventually
from tests.support.replication import replicate

REFUSED = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n"


class Relay:
    """A TCP server on a free loopback port, or on this one, in a thread of its own."""

    context: ssl.SSLContext | None = None
    port: int = 0

    def __enter__(self) -> Self:
        self._writers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        serving = asyncio.start_server(self._guard, "127.0.0.1", self.port, ssl=self.context)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        # What was accepted just now has a task that has not begun, then a transport that has not. Neither would ever
        # close its socket if the server were closed first (asyncio drops the connection), or the task cancelled.
        for listening in self._server.sockets:
            self._loop.remove_reader(listening.fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # TLS that failed does not close what is below it by itself.
        for writer in self._writers:
            with suppress(AttributeError):  # what Python 3.11.2 raises where that is gone too
                writer.transport.abort()
        # A connection whose handshake is under way has no writer yet, and ends by itself. The loop's own pipe stays.
        for _ in range(200):
            await asyncio.sleep(0.005)
            if len(self._loop._selector.get_map()) <= 1:  # type: ignore[attr-defined]
                break

    async def _guard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # somebody went away
        finally:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        raise NotImplementedError


class TlsFront(Relay):
    """TLS with `context`, in front of a plain server at `target` (a port); `trusted` counts accepted handshakes.

    In what the server says, `rename` puts other words in place of some: a sentinel that speaks no TLS itself names the
    port at which its Redis speaks none.
    """

    def __init__(self, context: ssl.SSLContext, target: int, rename: Mapping[bytes, bytes] | None = None) -> None:
        self.context = context
        self._target = target
        self._rename = rename or {}
        self.trusted = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass everything on."""
        # A client that does not trust us learns it after our side of the handshake: only its first bytes tell.
        first = await reader.read(65_536)
        if not first:
            return
        self.trusted += 1
        await join(reader, writer, "127.0.0.1", self._target, first, rename=self._rename)


class Switch(Relay):
    """An address that follows the primary: `target` (a port) is where new connections lead; old ones stay."""

    def __init__(self, target: int) -> None:
        self.target = target

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass everything on."""
        await join(reader, writer, "127.0.0.1", self.target)


class Pair(Switch):
    """Two Redis behind one address, the second a replica of the first until `fail_over`."""

    def __init__(self, first: EmbeddedRedis, second: EmbeddedRedis) -> None:
        super().__init__(first.port)
        self._servers = (first, second)
        self._old, self._new = redis.Redis(port=first.port), redis.Redis(port=second.port)
        replicate(first, second)

    @property
    def url(self) -> str:
        """The `REDIS_URL` that follows the primary."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def primary(self) -> redis.Redis:
        """A client of the one that is to be the primary."""
        return self._new

    def fail_over(self) -> None:
        """The second one is the primary, the first one its replica, and all connections stay open."""
        eventually(lambda: self._new.info("replication")["slave_repl_offset"] >= self._offset(), "all is copied")
        second = self._servers[1].port
        self._new.slaveof()
        self._old.slaveof(HOST, second)
        self.target = second

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._old.close()
        self._new.close()
        for server in self._servers:
            server.kill()  # one that is copied, or copied to, takes its time to end

    def _offset(self) -> int:
        return int(self._old.info("replication")["master_repl_offset"])


class ForwardProxy(Relay):
    """An HTTP proxy as companies run them: CONNECT, and plain requests with a whole URL.

    With `user` it wants that name and password. `hosts` says where some names (host:port) really are. `lines` are the
    first lines of the requests that it let through, `refusals` counts the others.
    """

    def __init__(self, user: str = "", password: str = "", hosts: Mapping[str, int] | None = None) -> None:
        self._login = base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        self._hosts = hosts or {}
        self.lines: list[str] = []
        self.heads: list[str] = []
        self.refusals = 0

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The value of HTTP_PROXY, without a password."""
        return f"http://{self.address}"

    def saw(self, text: str) -> bool:
        """Whether a request that was let through had this in its first line."""
        return any(text in line for line in self.lines)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request; the connection is the tunnel's, or ends with the answer."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        if self._login and f"proxy-authorization: basic {self._login}" not in (_lower_name(each) for each in fields):
            self.refusals += 1
            writer.write(REFUSED + b"Connection: close\r\n\r\n")
            await writer.drain()
            return
        self.lines.append(line)
        self.heads.append(head)
        method, url, _ = line.split(" ")
        if method == "CONNECT":
            await join(reader, writer, *self._resolve(url), greeting=b"HTTP/1.1 200 Connection established\r\n\r\n")
            return
        _, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        headers = [each for each in fields if not each.lower().startswith(("proxy-", "connection:"))]
        request = "\r\n".join([f"{method} {slash or '/'}{path} HTTP/1.1", *headers, "Connection: close", "", ""])
        await self._pass_on(reader, writer, authority, request.encode("latin-1"))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, request: bytes
    ) -> None:
        upstream_reader, upstream = await asyncio.open_connection(*self._resolve(authority))
        try:
            upstream.write(request)
            sending = asyncio.create_task(_copy(reader, upstream))
            answer = await upstream_reader.readuntil(b"\r\n\r\n")
            writer.write(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            await _copy(upstream_reader, writer)
            sending.cancel()
        finally:
            upstream.close()

    def _resolve(self, authority: str) -> tuple[str, int]:
        host, _, port = authority.partition(":")
        port = port or "80"
        port_of_host = self._hosts.get(f"{host}:{port}")
        return ("127.0.0.1", port_of_host) if port_of_host else (host, int(port))


async def join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    host: str,
    port: int,
    first: bytes = b"",
    greeting: bytes = b"",
    rename: Mapping[bytes, bytes] | None = None,
) -> None:
    """Connect to `host` and pass everything on, after `greeting` to the client and `first` to the server."""
    upstream_reader, upstream = await asyncio.open_connection(host, port)
    try:
        writer.write(greeting)
        upstream.write(first)
        directions = [
            asyncio.create_task(_copy(reader, upstream)),
            asyncio.create_task(_copy(upstream_reader, writer, rename)),
        ]
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in directions:
            direction.cancel()
    finally:
        upstream.close()


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rename: Mapping[bytes, bytes] | None = None
) -> None:
    try:
        while data := await reader.read(65_536):
            for word, other in (rename or {}).items():
                data = data.replace(word, other)
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # the other side went first


def _lower_name(field: str) -> str:
    name, colon, value = field.partition(": ")
    scheme, space, token = value.partition(" ")
    return f"{name.lower()}{colon}{scheme.lower()}{space}{token}"

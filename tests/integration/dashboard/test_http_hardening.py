"""Connections to Flower before login, over real sockets."""

import asyncio
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.web import Application, RequestHandler

from longshore.dashboard import http_hardening

TIMEOUT_S = 60


class Page(RequestHandler):
    """Answers at once."""

    def get(self) -> None:
        """Answers with a word."""
        self.write("here")


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[str, int]]]:
    """Serves a page with our HTTP hardening, with these limits in place of ours."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    servers: list[http_hardening.BoundedServer] = []

    def serve(**limits: float) -> tuple[str, int]:
        options = SimpleNamespace(unix_socket="", port=0, address="127.0.0.1")

        async def start_server() -> tuple[str, int]:
            server = http_hardening.BoundedServer(Application([(r".*", Page)]), **(http_hardening.HTTP_LIMITS | limits))
            sockets = http_hardening.bind_listeners(options)
            server.add_sockets(sockets)
            servers.append(server)
            address: tuple[str, int] = sockets[0].getsockname()
            return address

        return asyncio.run_coroutine_threadsafe(start_server(), loop).result(TIMEOUT_S)

    async def end() -> None:
        for server in servers:
            server.stop()
            await server.close_all_connections()

    yield serve
    asyncio.run_coroutine_threadsafe(end(), loop).result(TIMEOUT_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize(
    "request_bytes", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_client_that_goes_on_with_nothing_is_left(
    serve: Callable[..., tuple[str, int]], request_bytes: bytes
) -> None:
    """Idle, in the middle of a header, in the middle of a body."""
    address = serve(idle_connection_timeout=0.3, body_timeout=0.3)
    with socket.create_connection(address, timeout=TIMEOUT_S) as client:
        client.sendall(request_bytes)

        assert b"" == client.recv(100)


def test_too_much_is_not_read(serve: Callable[..., tuple[str, int]]) -> None:
    """Neither in headers nor in a body, whatever its length is said to be."""
    address = serve()
    for request_bytes, answer in (
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", b""),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n", b"HTTP/1.1 400 "),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n50000\r\n", b"HTTP/1.1 400 "),
    ):
        with socket.create_connection(address, timeout=TIMEOUT_S) as client:
            client.sendall(request_bytes)
            assert answer == client.recv(1000)[: len(b"HTTP/1.1 400 ")]


def test_whoever_holds_connections_keeps_nobody_out(
    serve: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest makes room, long before it would be closed for being idle."""
    monkeypatch.setattr(http_hardening, "MAX_CONNECTIONS", 8)
    address = serve(idle_connection_timeout=10 * TIMEOUT_S)
    connections = [socket.create_connection(address, timeout=TIMEOUT_S) for _ in range(20)]
    try:
        with socket.create_connection(address, timeout=TIMEOUT_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert b"" == connections[0].recv(1)
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(
    ("login", "mode"),
    [({}, 0o600), ({"basic_auth": ["ann:pass"]}, 0o666), ({"auth": "ann@example.com"}, 0o666)],
)
def test_a_local_socket_without_a_login_is_its_owners(tmp_path: Path, login: dict[str, Any], mode: int) -> None:
    """Others on the machine would be in without being asked."""
    path = tmp_path / "flower.sock"
    options = SimpleNamespace(**({"unix_socket": str(path), "basic_auth": None, "auth": ""} | login))
    (sockets,) = http_hardening.bind_listeners(options)
    with sockets:
        assert mode == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("address", "families"),
    [("", {socket.AF_INET, socket.AF_INET6}), ("::", {socket.AF_INET6}), ("[::1]", {socket.AF_INET6})],
)
def test_it_listens_where_there_is_only_ipv6(address: str, families: set[int]) -> None:
    """An empty address is every one; brackets are as people write it."""
    sockets = http_hardening.bind_listeners(SimpleNamespace(unix_socket="", port=0, address=address))
    try:
        assert families == {connection.family for connection in sockets}
    finally:
        for connection in sockets:
            connection.close()

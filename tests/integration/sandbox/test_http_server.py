"""The sandbox's server on bare sockets: what clients may send, and in which pieces."""

import socket
import threading
from collections.abc import Iterator

import pytest

from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request


def echo(request: Request) -> HttpAnswer:
    """Answers with what came."""
    return HttpAnswer(200, f"{request.method} {request.path} ".encode() + request.body)


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    """A client's socket to an echoing server."""
    server = HttpServer("test-echo")
    server.start()
    port = server.listen("127.0.0.1", 0, echo)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client_socket:
        yield client_socket
    server.stop()
    server.stop()


def read(connection: socket.socket, end: bytes) -> bytes:
    """Everything up to `end`, or until the server closes."""
    data = b""
    while not data.endswith(end) or not end:
        piece = connection.recv(65_536)
        if not piece:
            break
        data += piece
    return data


def test_a_request_may_come_byte_by_byte(connection: socket.socket) -> None:
    """TCP promises no pieces."""
    for byte in b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz":
        connection.sendall(bytes([byte]))

    assert read(connection, b"xyz").endswith(b"\r\n\r\nPOST /a xyz")


def test_many_requests_may_come_in_one_piece(connection: socket.socket) -> None:
    """They are answered in order, however many there are."""
    connection.sendall(b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(2_000)))
    data = read(connection, b"GET /1999 ")

    assert 2_000 == data.count(b"HTTP/1.1 200 OK")


def test_a_client_may_wait_to_be_told_to_go_on(connection: socket.socket) -> None:
    """As curl does with large bodies."""
    connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
    assert read(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100")
    connection.sendall(b"x")

    assert read(connection, b"POST / x").startswith(b"HTTP/1.1 200")


def test_a_client_may_ask_to_close(connection: socket.socket) -> None:
    """Then the answer says so and the server closes."""
    connection.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")

    assert b"Connection: close" in read(connection, b"")


def test_a_body_may_come_in_chunks(connection: socket.socket) -> None:
    """As curl sends what it reads from a pipe."""
    connection.sendall(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n1\r\nz\r\n0\r\n\r\n")

    assert read(connection, b"xyz").endswith(b"\r\n\r\nPOST /a xyz")


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    ],
)
def test_what_cannot_be_read_is_refused_and_cut(connection: socket.socket, request_: bytes) -> None:
    """Without waiting for more."""
    connection.sendall(request_)

    assert read(connection, b"").startswith(b"HTTP/1.1 400 ")


def test_a_head_without_an_end_is_cut(connection: socket.socket) -> None:
    """It would fill the memory."""
    connection.sendall(b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000)

    assert b"" == read(connection, b"")


def test_a_late_answer_ends_with_the_server() -> None:
    """Nobody waits for it, and nothing is left that warns of it."""
    asked = threading.Event()

    def task(request: Request) -> HttpAnswer:
        asked.set()
        return HttpAnswer(200, b"late", delay_s=600.0)

    server = HttpServer("test-late")
    server.start()
    port = server.listen("127.0.0.1", 0, task)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert asked.wait(10)
        server.stop()

        assert b"" == read(connection, b"")

"""Whether an answer is here as a whole, told before it is read, so that a thread that would wait says so first."""

import io
from http.client import HTTPResponse
from typing import Any

import pytest

from longshore.network.answer import BoundedResponse


class Socket:
    """Gives what has arrived."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, _mode: str) -> Any:
        """As a socket's."""
        return io.BufferedReader(io.BytesIO(self.data))


HEAD = b"HTTP/1.1 200 OK\r\nServer: a\r\n"


@pytest.mark.parametrize(
    ("data", "is_whole"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\nok", True),
        (HEAD + b"content-LENGTH:0\r\nA: b\r\n\r\n", True),
        (HEAD + b"Content-Length: 2\r\n\r\no", False),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\nok", False),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", False),
        (HEAD + b"Connection: close\r\n\r\nuntil it closes", False),
        (HEAD, False),
        (b"HTTP/1.1 2", False),
        (b"", False),
    ],
)
def test_an_answer_is_whole_when_reading_it_waits_for_nothing(data: bytes, is_whole: bool) -> None:
    """Where that cannot be told, it is not: whoever reads it may have to wait."""
    socket: Any = Socket(data)
    response: HTTPResponse = BoundedResponse(socket, method="POST")

    assert isinstance(response, BoundedResponse)
    assert is_whole == response.is_whole()

"""A server for tests with very many answers: one thread and nothing kept, whatever their number."""

import re
import socket
import threading

from tests.support.hostile import OK

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class ReplayingServer:
    """Answers each connection's first request, and hangs up; one connection after the other."""

    def __init__(self) -> None:
        self.reply = OK
        self.replies: dict[str, bytes] = {}
        """By path, in place of `reply`."""

    def __enter__(self) -> "ReplayingServer":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def url(self, path: str = "/hook") -> str:
        """A URL here."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}{path}"

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(10)
            try:
                if path := _receive(sock):
                    sock.sendall(self.replies.get(path, self.reply))
            except OSError:
                pass  # the client has what it wanted
            finally:
                sock.close()


def _receive(sock: socket.socket) -> str:
    """Reads a whole request, and returns its path; empty where none came."""
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and len(body) >= int(length[1] if length else 0):
            return head.split(b" ", 2)[1].decode()
        chunk = sock.recv(65_536)
        if not chunk:
            return ""
        data += chunk

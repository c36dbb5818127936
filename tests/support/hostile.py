"""Targets that misbehave on a real socket, one script per connection."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class WireRequest:
    """A request as it came over the wire."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header, None when it did not come; fails when it came twice."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None


class Talk:
    """One connection to the target, for its script to use."""

    def __init__(self, target: "HostileTarget", sock: socket.socket, number: int) -> None:
        self.target, self.sock, self.number = target, sock, number
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """Write `data`."""
        self.sock.sendall(data)

    def receive(self) -> WireRequest | None:
        """The next whole request, recorded; None when the client closed instead."""
        while b"\r\n\r\n" not in self._buffer:
            chunk = self.sock.recv(65_536)
            if not chunk:
                return None
            self._buffer += chunk
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (each.partition(":") for each in rest)]
        length = int(next((value for name, value in headers if name.lower() == "content-length"), "0"))
        while len(self._buffer) < length:
            chunk = self.sock.recv(65_536)
            if not chunk:
                return None
            self._buffer += chunk
        received = WireRequest(line, headers, self._buffer[:length])
        self._buffer = self._buffer[length:]
        self.target.received.append(received)
        return received

    def drip(self, data: bytes, pause_s: float = 0.05) -> None:
        """Write `data` byte by byte, over and over, never late by the measure of a single read."""
        while not self.target.stopped.is_set():
            for byte in data:
                self.send(bytes([byte]))
                if self.target.stopped.wait(pause_s):
                    return

    def hang(self) -> None:
        """Do nothing until the test is over."""
        self.target.stopped.wait(60)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on in TLS."""
        self.sock = context.wrap_socket(self.sock, server_side=True)

    def reset(self) -> None:
        """Break the connection off with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


Script = Callable[[Talk], object]


def answering(*answers: bytes) -> Script:
    """Answers request after request, the last answer for all further ones, for as long as the client likes."""

    def script(talk: Talk) -> None:
        for answer in _then_last(answers):
            if talk.receive() is None:
                return
            talk.send(answer)

    return script


def refusing(context: ssl.SSLContext) -> Script:
    """Demands a certificate that the client does not have.

    What is unread when a socket closes makes the close a reset, which could overtake the refusal, so all is read.
    """

    def script(talk: Talk) -> None:
        wrapped = context.wrap_socket(talk.sock, server_side=True, do_handshake_on_connect=False)
        talk.sock = wrapped
        try:
            wrapped.do_handshake()
        except ssl.SSLError:
            while socket.socket.recv(wrapped, 65_536):
                pass

    return script


def _then_last(answers: tuple[bytes, ...]) -> Iterator[bytes]:
    yield from answers
    while True:
        yield answers[-1]


@dataclass
class HostileTarget:
    """A TCP server on a free loopback port that runs `script` for each connection; `received` has the requests."""

    script: Script
    context: ssl.SSLContext | None = None
    backlog: int = 128
    received: list[WireRequest] = field(default_factory=list)
    connections: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "HostileTarget":
        self._open = ExitStack()
        self._listener = self._open.enter_context(socket.create_server(("127.0.0.1", 0), backlog=self.backlog))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        # Closing a listening socket does not wake its thread; shutting it down does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._open.close()
        for thread in self._threads:
            thread.join(10)

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """A URL here."""
        return f"{'https' if self.context else 'http'}://{host}:{self.port}{path}"

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, self.connections))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        talk = Talk(self, sock, number)
        sock.settimeout(30)
        waker = threading.Thread(target=self._wake, args=(talk,), daemon=True)
        waker.start()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                talk.start_tls(self.context)
            self.script(talk)
        except OSError:
            pass  # the client went away, which is what most of these tests are about
        finally:
            talk.sock.close()

    def _wake(self, talk: Talk) -> None:
        """At the end of the test, wake a script that reads."""
        self.stopped.wait()
        try:
            # Not a TLS socket's own shutdown, which would drop the state that the script reads with.
            socket.socket.shutdown(talk.sock, socket.SHUT_RDWR)
        except OSError:
            pass


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class FullPort:
    """A port that takes no connection: its queue is full, and the kernel drops what comes after, like a firewall."""

    def __enter__(self) -> "FullPort":
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port: int = self._listener.getsockname()[1]
        self._fillers: list[socket.socket] = []
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            filler = socket.socket()
            self._fillers.append(filler)
            filler.settimeout(0.2)
            try:
                filler.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return self
        raise AssertionError("the queue of a listening socket did not fill up")

    def __exit__(self, *_: object) -> None:
        for each in (*self._fillers, self._listener):
            each.close()

"""The pages /metrics, /livez and /readyz over HTTP, at an address or, for a supervisor, at a local socket.

Every request has a thread of its own, so that neither a slow reader nor a slow Redis holds up a probe; and a deadline,
so that nobody keeps probes out by being slow.
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer, TCPServer, ThreadingMixIn, UnixStreamServer

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.telemetry.health import Health, Verdict
from longshore.telemetry.metrics import ALIVE, READY

log = EventLog(__name__)

DEADLINE_S = 10.0
"""For a whole request, from the connection to the last byte of the answer."""
MOST_REQUESTS = 32
"""Requests answered at once, so that nobody can fill the process with threads; one more ends the oldest."""
MAKE_ROOM_S = 0.05
"""How long to wait for a request that was hung up on. One that calculates does not notice, and the next must go."""


class CombinedCollector(Collector):
    """Several collectors as one page."""

    def __init__(self, parts: Sequence[Collector]) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """Everything, one after the other."""
        for part in self._parts:
            yield from part.collect()


class TelemetryServer:
    """Serves the pages of one program until `stop`."""

    def __init__(self, metrics: Collector, health: Health, server: "_Server") -> None:
        self._server = server
        server.metrics, server.health = metrics, health
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @classmethod
    def at(cls, address: str, port: int, metrics: Collector, health: Health) -> "TelemetryServer":
        """At a TCP port; address "" is every one of the machine. Raises OSError when it cannot be had."""
        return cls(metrics, health, _At(address, port))

    @classmethod
    def at_socket(cls, name: str, metrics: Collector, health: Health) -> "TelemetryServer":
        """At a socket in Linux's abstract namespace: it has no file, and goes with the process."""
        return cls(metrics, health, _AtSocket(f"\0{name}", _Answer))

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Ends at once."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingMixIn, BaseServer):
    daemon_threads = True
    block_on_close = False
    metrics: Collector
    health: Health

    def __init__(self) -> None:
        self._room = threading.BoundedSemaphore(MOST_REQUESTS)
        self._since: dict[socket.socket, float] = {}  # the oldest first

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        if not self._room.acquire(blocking=False) and not self._made_room():
            self.shutdown_request(request)
            return
        self._since[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be had
            self._left(request)
            raise

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._left(request)

    def service_actions(self) -> None:
        """Ends what is beyond its deadline; called at each turn of `serve_forever`."""
        now = time.monotonic()
        for request, since in list(self._since.items()):
            if now - since > DEADLINE_S:
                _hang_up(request)

    def _made_room(self) -> bool:
        for request in list(self._since):
            _hang_up(request)
            if self._room.acquire(timeout=MAKE_ROOM_S):
                return True
        return False

    def _left(self, request: socket.socket) -> None:
        del self._since[request]
        self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        # A probe that hung up is no fault; anything else is, and only costs this one answer.
        log.event(events.METRICS_REQUEST_FAILED, exc_info=True)


class _At(_Server, TCPServer):
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: str, port: int) -> None:
        _Server.__init__(self)
        everywhere = not address and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if everywhere or ":" in address else socket.AF_INET
        TCPServer.__init__(self, (address, port), _Answer, bind_and_activate=False)
        try:
            if everywhere:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self.server_bind()
            self.server_activate()
        except OSError:
            self.server_close()
            raise


class _AtSocket(_Server, UnixStreamServer):
    request_queue_size = 64

    def __init__(self, name: str, handler: type[BaseHTTPRequestHandler]) -> None:
        _Server.__init__(self)
        UnixStreamServer.__init__(self, name, handler)


def _hang_up(request: socket.socket) -> None:
    """Wakes the thread that reads from or writes to it, which then closes it."""
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _Answer(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._metrics()
        elif path in ("/livez", "/readyz"):
            self._health(self.server.health.live() if path == "/livez" else self.server.health.ready())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"There are /metrics, /livez and /readyz.\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _metrics(self) -> None:
        ALIVE.set(self.server.health.live().ok)
        READY.set(self.server.health.ready().ok)
        encoder, content_type = choose_encoder(self.headers.get("Accept", ""))
        self._answer(HTTPStatus.OK, content_type, encoder(self.server.metrics))

    def _health(self, verdict: Verdict) -> None:
        status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, "application/json", json.dumps(verdict.json(), indent=1).encode() + b"\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes come every few seconds: no line in the log."""

    def version_string(self) -> str:
        return "longshore"

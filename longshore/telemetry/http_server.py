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
from longshore.telemetry.health import Health, HealthVerdict
from longshore.telemetry.metrics import ALIVE, READY

log = EventLog(__name__)

DEADLINE_S = 10.0
"""For a whole request, from the connection to the last byte of the answer."""
MAX_REQUESTS = 32
"""Requests served at once, so that nobody can fill the process with threads; one more ends the oldest."""
EVICTION_WAIT_S = 0.05
"""How long to wait for the end of a request whose connection was shut down. One that is calculating does not notice it;
then the next oldest is ended."""


class CombinedCollector(Collector):
    """Several collectors as one page."""

    def __init__(self, parts: Sequence[Collector]) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """The metrics of all parts, one after the other."""
        for part in self._parts:
            yield from part.collect()


class TelemetryServer:
    """Serves the pages of one program until `stop`."""

    def __init__(self, metrics: Collector, health: Health, server: "_Server") -> None:
        self._server = server
        server.metrics, server.health = metrics, health
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @classmethod
    def at_port(cls, address: str, port: int, metrics: Collector, health: Health) -> "TelemetryServer":
        """At a TCP port; address "" is all of the machine. Raises OSError when it is taken."""
        return cls(metrics, health, _TcpServer(address, port))

    @classmethod
    def at_socket(cls, name: str, metrics: Collector, health: Health) -> "TelemetryServer":
        """At a socket in Linux's abstract namespace: it has no file, and ends with the process."""
        return cls(metrics, health, _UnixSocketServer(f"\0{name}", _Handler))

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
        self._free_slots = threading.BoundedSemaphore(MAX_REQUESTS)
        self._started_at: dict[socket.socket, float] = {}  # the oldest first

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        if not self._free_slots.acquire(blocking=False) and not self._evict_oldest():
            self.shutdown_request(request)
            return
        self._started_at[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._release(request)
            raise

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._release(request)

    def service_actions(self) -> None:
        """Ends requests beyond their deadline; called at each turn of `serve_forever`."""
        now = time.monotonic()
        for request, started_at in list(self._started_at.items()):
            if now - started_at > DEADLINE_S:
                _shut_down(request)

    def _evict_oldest(self) -> bool:
        for request in list(self._started_at):
            _shut_down(request)
            if self._free_slots.acquire(timeout=EVICTION_WAIT_S):
                return True
        return False

    def _release(self, request: socket.socket) -> None:
        del self._started_at[request]
        self._free_slots.release()

    def handle_error(self, request: object, client_address: object) -> None:
        # A probe that hung up is no fault; anything else is, and only costs this one answer.
        log.event(events.METRICS_REQUEST_FAILED, exc_info=True)


class _TcpServer(_Server, TCPServer):
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: str, port: int) -> None:
        _Server.__init__(self)
        all_addresses = not address and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if all_addresses or ":" in address else socket.AF_INET
        TCPServer.__init__(self, (address, port), _Handler, bind_and_activate=False)
        try:
            if all_addresses:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self.server_bind()
            self.server_activate()
        except OSError:
            self.server_close()
            raise


class _UnixSocketServer(_Server, UnixStreamServer):
    request_queue_size = 64

    def __init__(self, name: str, handler: type[BaseHTTPRequestHandler]) -> None:
        _Server.__init__(self)
        UnixStreamServer.__init__(self, name, handler)


def _shut_down(request: socket.socket) -> None:
    """Wakes the thread that reads from or writes to it, which then closes it."""
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._send_metrics()
        elif path in ("/livez", "/readyz"):
            self._send_verdict(self.server.health.live() if path == "/livez" else self.server.health.ready())
        else:
            self._respond(HTTPStatus.NOT_FOUND, "text/plain", b"There are /metrics, /livez and /readyz.\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send_metrics(self) -> None:
        ALIVE.set(self.server.health.live().ok)
        READY.set(self.server.health.ready().ok)
        encoder, content_type = choose_encoder(self.headers.get("Accept", ""))
        self._respond(HTTPStatus.OK, content_type, encoder(self.server.metrics))

    def _send_verdict(self, verdict: HealthVerdict) -> None:
        status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
        self._respond(status, "application/json", json.dumps(verdict.json(), indent=1).encode() + b"\n")

    def _respond(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
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

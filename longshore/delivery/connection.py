"""Connections that an attempt's deadline can end, and that tell how far it got.

They hook into `urllib3` where it opens a socket and sends. Those methods are internal there: the dependency is pinned
to a minor version, and tests/integration/delivery holds one case per way to hang.

The invariant behind every retry: `has_sent` is set before the first byte of a request is handed to the kernel, never
after. It lives in memory only. If the process dies, the ledger has the invocation as begun, which counts as maybe sent.
"""

import socket
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssltransport import SSLTransport

from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.failure_reasons import classify_connect_error
from longshore.delivery.request_deadline import ConnectStage, RequestDeadline, current_deadline
from longshore.delivery.resolver import AddrInfo, Resolver
from longshore.network import connections
from longshore.network.socks_proxy import SocksProxy, open_tunnel

MAX_IDLE_S = 1.0
"""How long a connection may have been idle to be used again. Targets close idle ones when they like; a request that
crosses with such a close gets no answer, and would be a false unknown."""

MIN_CONNECT_SHARE_S = 2.0
"""With several addresses each gets an equal share of the remaining time, but at least this much of it."""

if TYPE_CHECKING:
    _Connection = connections.Http
else:
    _Connection = object


class _DeadlineConnection(_Connection):
    """A connection that the watchdog can cut, and that knows whether anything of the request has left."""

    resolver: Resolver
    egress_policy: EgressPolicy

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.owner_lock = threading.Lock()
        self.owner: RequestDeadline | None = None
        self.raw_socket: socket.socket | None = None
        self.idle_since = 0.0
        self._is_connecting = False

    def connect(self) -> None:
        deadline = current_deadline()
        self._is_connecting = True
        try:
            with deadline.blocking():
                super().connect()
        except BaseException as error:
            if isinstance(error, Exception):
                deadline.failure = classify_connect_error(error, deadline)
            self._set_raw_socket(None)
            raise
        finally:
            self._is_connecting = False
        # `sock` is None once a response said "Connection: close", so it is kept here.
        self._set_raw_socket(_unwrap_tls(self.sock))
        deadline.stage = ConnectStage.OPEN

    def write_request(self, *args: Any) -> None:
        deadline = self._attach()
        if self.sock is not None:
            deadline.stage = ConnectStage.OPEN
        super().write_request(*args)

    def send(self, data: Any) -> None:
        if not self._is_connecting:  # the CONNECT that asks a proxy for a tunnel is nothing of the request
            current_deadline().has_sent = True
        super().send(data)

    def release(self) -> None:
        """Back in the pool it is nobody's: without this a late cut would hit the next attempt."""
        with self.owner_lock:
            self.owner = None
        self.idle_since = time.monotonic()

    def is_stale(self) -> bool:
        """Has it been idle for so long that the target may be closing it this moment?"""
        return self.sock is not None and time.monotonic() - self.idle_since > MAX_IDLE_S

    def _attach(self) -> RequestDeadline:
        deadline = current_deadline()
        with self.owner_lock:
            self.owner = deadline
        deadline.connection = self
        if deadline.remaining_s() <= 0:
            deadline.has_expired = True
            raise TimeoutError("the total deadline is over")
        return deadline

    def _set_raw_socket(self, raw_socket: socket.socket | None) -> None:
        with self.owner_lock:
            old, self.raw_socket = self.raw_socket, raw_socket
            if old is not None and old is not self.sock:
                old.close()

    def _new_conn(self) -> socket.socket:
        deadline = self._attach()
        deadline.set_stage(ConnectStage.RESOLVE, f"{self.host}:{self.port}", peer_is_proxy=self.proxy is not None)
        timeout_s = min(self.timeout or deadline.remaining_s(), deadline.remaining_s())
        deadline_at = time.monotonic() + timeout_s
        try:
            if self.socks_proxy is not None:
                sock = self._connect_through(self.socks_proxy, deadline, timeout_s, deadline_at)
            else:
                addresses = self._resolve(timeout_s)
                deadline.stage = ConnectStage.CONNECT
                sock = _connect_any(addresses, deadline_at, self.socket_options)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"connecting to {self.host} timed out") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"connecting to {self.host} failed") from error
        sock.settimeout(timeout_s)
        # A duplicate, because wrapping the socket in TLS detaches the first object.
        self._set_raw_socket(sock.dup())
        deadline.stage = ConnectStage.TLS
        return sock

    def _connect_through(
        self, proxy: SocksProxy, deadline: RequestDeadline, timeout_s: float, deadline_at: float
    ) -> socket.socket:
        """A socket that leads to the target. What we look up ourselves is filtered, and asked for by its address."""
        host = self._dns_host.strip("[]")
        hosts = [host] if proxy.resolves else [str(each[4][0]) for each in self._resolve(timeout_s)]
        deadline.set_stage(ConnectStage.RESOLVE, f"{proxy.host}:{proxy.port}", peer_is_proxy=True)
        addresses = self.resolver.resolve(proxy.host, proxy.port, timeout_s)
        failure: OSError = OSError("the name has no address")
        for each in hosts:
            deadline.stage = ConnectStage.CONNECT
            sock = _connect_any(addresses, deadline_at, self.socket_options)
            deadline.stage = ConnectStage.TUNNEL
            self._set_raw_socket(sock.dup())
            try:
                sock.settimeout(max(deadline_at - time.monotonic(), 0.001))
                open_tunnel(sock, proxy, each, self.port)
            except OSError as error:
                sock.close()
                failure = error
            else:
                deadline.set_stage(ConnectStage.TLS, f"{host}:{self.port}", peer_is_proxy=False)
                return sock
        raise failure

    def _resolve(self, timeout_s: float) -> Sequence[AddrInfo]:
        """The addresses to connect to; only those of a target are filtered, as a proxy is the operator's choice."""
        host, port = self._dns_host.strip("[]"), self.port
        if self.proxy is not None:
            return self.resolver.resolve(host, port, timeout_s)
        self.egress_policy.check_before_lookup(host, port)
        return self.egress_policy.filter_addresses(
            host, port, self.resolver.resolve(host, port, timeout_s), self.resolver, timeout_s
        )

    def _tunnel(self) -> None:
        deadline, target = current_deadline(), f"{self._tunnel_host}:{self._tunnel_port}"
        deadline.stage = ConnectStage.TUNNEL
        super()._tunnel()
        deadline.set_stage(ConnectStage.TLS, target, peer_is_proxy=False)


class DeadlineHttpConnection(_DeadlineConnection, connections.Http):
    """A plain connection that the watchdog can cut."""


class DeadlineHttpsConnection(_DeadlineConnection, connections.Https):
    """A TLS connection that the watchdog can cut."""


def _connect_any(addresses: Sequence[AddrInfo], deadline_at: float, options: Sequence[Any] | None) -> socket.socket:
    """A socket connected to the first address that answers, the time left shared out among those still to try."""
    failure: OSError = OSError("the name has no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        left_s = deadline_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("connecting took too long") from failure
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(max(left_s / (len(addresses) - index), min(MIN_CONNECT_SHARE_S, left_s)))
            sock.connect(address)
        except OSError as error:
            failure = error
            if sock is not None:
                sock.close()
        else:
            return sock
    raise failure


def _unwrap_tls(sock: Any) -> socket.socket | None:
    """The socket that has the file descriptor, below TLS within TLS."""
    while isinstance(sock, SSLTransport):
        sock = sock.socket
    return sock if isinstance(sock, socket.socket) else None

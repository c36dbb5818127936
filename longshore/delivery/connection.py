"""Connections and pools that an attempt's deadline can end, and that tell how far it got.

They hook into `urllib3` where it opens a socket, sends, and puts a connection back. Those methods are internal there:
the dependency is pinned to a minor version, and tests/integration/delivery holds one case per way to hang.
"""

import socket
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssltransport import SSLTransport

from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.failure_reasons import explain_connect
from longshore.delivery.request_deadline import ConnectStage, RequestDeadline, current
from longshore.delivery.resolver import Address, Resolver
from longshore.network import connections

IDLE_REUSE_S = 1.0
"""How long a connection may have been idle to be used again. Targets close idle ones when they like; a request that
crosses with such a close gets no answer, and would be a false unknown."""

GATHERED = 65_536
"""Bytes up to which a body is joined to its head; a longer one is worth a copy less than it costs."""

FAIR_SHARE_S = 2.0
"""With several addresses each gets an equal part of the time left, but not less than this while it lasts."""

if TYPE_CHECKING:
    _Connection = connections.Http
    _Pool = connections.HttpPool
else:
    _Connection = _Pool = object


class _DeadlineConnection(_Connection):
    """A connection that the watchdog can cut, and that knows whether anything of the request has left."""

    resolver: Resolver
    egress_policy: EgressPolicy

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.guard = threading.Lock()
        self.owner: RequestDeadline | None = None
        self.wire: socket.socket | None = None
        self.idle_since = 0.0
        self._connecting = False
        self._gathered: list[bytes] | None = None

    def connect(self) -> None:
        attempt = current()
        self._connecting = True
        try:
            super().connect()
        except BaseException as error:
            if isinstance(error, Exception):
                attempt.trouble = explain_connect(error, attempt)
            self._swap(None)
            raise
        finally:
            self._connecting = False
        # `sock` is None once a response said "Connection: close", so it is kept here.
        self._swap(_bare(self.sock))
        attempt.stage = ConnectStage.OPEN

    def request(self, *args: Any, **options: Any) -> None:
        attempt = self._own()
        if self.sock is not None:
            attempt.stage = ConnectStage.OPEN
        self._gathered = []
        try:
            super().request(*args, **options)
            self._flush()
        finally:
            self._gathered = None

    def send(self, data: Any) -> None:
        if self._connecting:  # the CONNECT that asks a proxy for a tunnel: nothing of the request
            super().send(data)
            return
        if self._gathered is not None and len(data) <= GATHERED:
            self._gathered.append(data)
            return
        self._flush()
        self._transmit(data)

    def _flush(self) -> None:
        """Send what was gathered: head and body in one packet, one call into the kernel less per request."""
        data, self._gathered = b"".join(self._gathered or ()), []
        if data:
            self._transmit(data)

    def _transmit(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        current().sent = True
        super().send(data)

    def release(self) -> None:
        """Back in the pool it is nobody's: without this a late cut would hit the next attempt."""
        with self.guard:
            self.owner = None
        self.idle_since = time.monotonic()

    def stale(self) -> bool:
        """Has it been idle for so long that the target may be closing it this moment?"""
        return self.sock is not None and time.monotonic() - self.idle_since > IDLE_REUSE_S

    def _own(self) -> RequestDeadline:
        attempt = current()
        with self.guard:
            self.owner = attempt
        attempt.conn = self
        if attempt.left() <= 0:
            attempt.expired = True
            raise TimeoutError("the total deadline is over")
        return attempt

    def _swap(self, wire: socket.socket | None) -> None:
        with self.guard:
            old, self.wire = self.wire, wire
            if old is not None and old is not self.sock:
                old.close()

    def _new_conn(self) -> socket.socket:
        attempt = self._own()
        attempt.reach(ConnectStage.RESOLVE, f"{self.host}:{self.port}", proxied=self.proxy is not None)
        timeout_s = min(self.timeout or attempt.left(), attempt.left())
        give_up_at = time.monotonic() + timeout_s
        try:
            addresses = self._look_up(timeout_s)
            attempt.stage = ConnectStage.CONNECT
            sock = _connect_any(addresses, give_up_at, self.socket_options)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"connecting to {self.host} timed out") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"connecting to {self.host} failed") from error
        sock.settimeout(timeout_s)
        # A duplicate, because wrapping the socket in TLS detaches the first object.
        self._swap(sock.dup())
        attempt.stage = ConnectStage.TLS
        return sock

    def _look_up(self, timeout_s: float) -> Sequence[Address]:
        """The addresses to connect to; only those of a target are filtered, as a proxy is the operator's choice."""
        host, port = self._dns_host.strip("[]"), self.port
        if self.proxy is not None:
            return self.resolver.resolve(host, port, timeout_s)
        self.egress_policy.before_lookup(host, port)
        return self.egress_policy.permitted(
            host, port, self.resolver.resolve(host, port, timeout_s), self.resolver, timeout_s
        )

    def _tunnel(self) -> None:
        attempt, target = current(), f"{self._tunnel_host}:{self._tunnel_port}"
        attempt.stage = ConnectStage.TUNNEL
        super()._tunnel()
        attempt.reach(ConnectStage.TLS, target, proxied=False)


class WatchedHttp(_DeadlineConnection, connections.Http):
    """A plain connection under the watchdog's eye."""


class WatchedHttps(_DeadlineConnection, connections.Https):
    """A TLS connection under the watchdog's eye."""


class _ReleasingPool(_Pool):
    """A pool whose idle connections belong to nobody, and are not trusted for long."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn: Any = super()._get_conn(timeout)
        if conn.stale():
            conn.close()
            self._close_older()
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.release()
        super()._put_conn(conn)

    def _close_older(self) -> None:
        """The pool hands out the most recently used first: if that one is stale, all others are."""
        if self.pool is not None:
            with self.pool.mutex:
                for conn in self.pool.queue:
                    if conn is not None and conn.stale():
                        conn.close()


class HttpPool(_ReleasingPool, connections.HttpPool):
    """Pooled plain connections to one origin, or to one proxy."""

    ConnectionCls = WatchedHttp


class HttpsPool(_ReleasingPool, connections.HttpsPool):
    """Pooled TLS connections to one origin, or to one proxy."""

    ConnectionCls = WatchedHttps

    def _validate_conn(self, conn: Any) -> None:
        # Without urllib3's warning for each request to a target that the operator chose not to verify.
        if conn.is_closed:
            conn.connect()


def pool_classes(resolver: Resolver, egress_policy: EgressPolicy) -> dict[str, Any]:
    """The pool class of each scheme, for `urllib3`: resolves with `resolver`, connects where `egress_policy` allows."""
    http = type("WatchedHttp", (WatchedHttp,), {"resolver": resolver, "egress_policy": egress_policy})
    https = type("WatchedHttps", (WatchedHttps,), {"resolver": resolver, "egress_policy": egress_policy})
    return {
        "http": type("HttpPool", (HttpPool,), {"ConnectionCls": http}),
        "https": type("HttpsPool", (HttpsPool,), {"ConnectionCls": https}),
    }


def _connect_any(addresses: Sequence[Address], give_up_at: float, options: Sequence[Any] | None) -> socket.socket:
    """A socket connected to the first address that answers, the time left shared out among those still to try."""
    failure: OSError = OSError("the name has no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        left_s = give_up_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("connecting took too long") from failure
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(max(left_s / (len(addresses) - index), min(FAIR_SHARE_S, left_s)))
            sock.connect(address)
        except OSError as error:
            failure = error
            if sock is not None:
                sock.close()
        else:
            return sock
    raise failure


def _bare(sock: Any) -> socket.socket | None:
    """The socket that has the file descriptor, below TLS within TLS."""
    while isinstance(sock, SSLTransport):
        sock = sock.socket
    return sock if isinstance(sock, socket.socket) else None

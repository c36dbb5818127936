"""How a process connects to Redis: with timeouts, and one error for all the ways in which Redis can be unavailable."""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool, SentinelManagedConnection

from longshore.errors import StoreUnavailable
from longshore.ledger.address import Address, Login, parse
from longshore.ledger.failover import following, says_demoted
from longshore.network.client_certificate import CertificateUnusable
from longshore.network.tls import BundleUnreadable, Tls, TlsContexts

TIMEOUT_S = 10.0
"""A Redis that does not answer for so long is away."""
_CONNECT_S = 3.0

PLAIN = {"protocol": 2, "driver_info": None}
"""Nothing of CLIENT is sent (SETINFO, and MAINT_NOTIFICATIONS with protocol 3): Redis 6.2 knows neither, and
refuses and logs what a user may not use."""

_NOT_NOW = (
    redis.ConnectionError,  # LOADING and a password that is not valid (yet) are subclasses
    redis.TimeoutError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.TryAgainError,
    redis.exceptions.NoPermissionError,  # until somebody mends the user's rights
    OSError,
)
_SAYS_NOT_NOW = re.compile(
    r"(?:^|-)(?:OOM|MISCONF|BUSY|UNKILLABLE|LAYOUT) |ACL failure in script|The user executing the script can't "
)
"""Errors without a class; up to Redis 6.2 all errors inside a script: `ERR ... @user_script: 10: -OOM command ...`."""


class TlsConnection(redis.SSLConnection):
    """A connection whose peer is checked as all others of this program are; redis-py makes contexts of its own."""

    tls: Tls

    def __init__(self, tls: Tls, **options: Any) -> None:
        super().__init__(**options)
        self.tls = tls

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        try:
            return _CONTEXTS.get(self.tls).wrap_socket(sock, server_hostname=self.host)
        except (BundleUnreadable, CertificateUnusable) as error:
            raise redis.ConnectionError(str(error)) from None

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """As redis-py's, and one question more.

        TLS 1.3 sends session tickets after its handshake. With hiredis, redis-py takes what is there to be read for an
        answer that nobody asked for, and its pool refuses the connection. They come before the first answer.
        """
        super().on_connect_check_health(check_health)
        self.send_command("PING", check_health=False)  # type: ignore[no-untyped-call]
        self.read_response()


class SentinelTlsConnection(SentinelManagedConnection, TlsConnection):
    """The same, to the primary that sentinels name."""


_CONTEXTS = TlsContexts()


class SentinelNode(redis.Redis):
    """One sentinel, in errors named by its address."""

    def __repr__(self) -> str:
        options = self.connection_pool.connection_kwargs
        return f"sentinel {options['host']}:{options['port']}"


class Sentinels(Sentinel):
    """The sentinels of an address, with a login of their own."""

    def __init__(self, address: Address) -> None:
        super().__init__([])  # type: ignore[no-untyped-call]
        options = _login(address.sentinel, _CONNECT_S)
        self.sentinels = [
            SentinelNode.from_pool(redis.ConnectionPool(host=host, port=port, **options))
            for host, port in address.nodes
        ]

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Host and port of the primary. Raises MasterNotFoundError with the answer of each sentinel, also a refusal.

        As redis-py's own, whose error hides the reasons, and which takes a refusal for a fault of the caller.
        """
        reasons = []
        for sentinel in list(self.sentinels):
            try:
                primaries: Any = sentinel.sentinel_masters()
                state = primaries.get(service_name)
            except redis.RedisError as error:
                reasons.append(f"{sentinel!r}: {error}")
                continue
            if state and self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]
                self.sentinels = [sentinel, *(each for each in self.sentinels if each is not sentinel)]
                return state["ip"], state["port"]
            reasons.append(f"{sentinel!r} {'sees it down' if state else 'knows no such name'}")
        raise MasterNotFoundError(f"no primary {service_name!r} was found: {'; '.join(reasons)}")


def options_of(address: Address, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """The options of a connection pool for the Redis at `address`: all that redis-py gets.

    Its connections leave a Redis that says it is the primary no longer, see failover.py.
    """
    options: dict[str, Any] = {"db": address.db, **_login(address.redis, timeout_s)}
    kind: type[Any]
    if address.kind == "sentinel":
        kind = SentinelTlsConnection if address.redis.tls else SentinelManagedConnection
    elif address.kind == "unix":
        kind = redis.UnixDomainSocketConnection
        del options["socket_keepalive"], options["socket_connect_timeout"]
        options["path"] = address.path
    else:
        kind = TlsConnection if address.redis.tls else redis.Connection
        options["host"], options["port"] = address.nodes[0]
    return {**options, "connection_class": following(kind)}


def pool_of(address: Address, options: dict[str, Any]) -> redis.ConnectionPool:
    """A pool that leads to `address`; `options` are `options_of` it, and what the caller adds."""
    if address.kind != "sentinel":
        return redis.ConnectionPool(**options)
    return SentinelConnectionPool(address.primary, Sentinels(address), **options)  # type: ignore[no-untyped-call]


def sentinels_of(pool: redis.ConnectionPool) -> Sentinel | None:
    """The sentinels that `pool` asks for the primary, to be closed with it; None for a pool of another kind."""
    return pool.sentinel_manager if isinstance(pool, SentinelConnectionPool) else None


def primary_of(client: redis.Redis) -> tuple[str, int] | None:
    """The primary according to sentinels, as of the last new connection; None without sentinels, or before that."""
    pool = client.connection_pool
    address: Any = pool.proxy.master_address if isinstance(pool, SentinelConnectionPool) else None
    return (str(address[0]), int(address[1])) if address is not None else None


def connect(address: Address | str, connections: int = 50, timeout_s: float = TIMEOUT_S) -> redis.Redis:
    """A client for the Redis at `address`, or at the URL of one.

    Connects on first use. Never repeats a command by itself: the callers know which of their scripts may be repeated.
    """
    address = parse(address) if isinstance(address, str) else address
    options = {**options_of(address, timeout_s), "max_connections": connections}
    return redis.Redis.from_pool(pool_of(address, options))


def _login(login: Login, timeout_s: float) -> dict[str, Any]:
    options: dict[str, Any] = {
        "username": login.username,
        "password": login.password,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": min(_CONNECT_S, timeout_s),
        "socket_keepalive": True,
        "health_check_interval": 5,
        "retry": Retry(NoBackoff(), 0),
        **PLAIN,
    }
    if login.tls is not None:
        options |= {"connection_class": TlsConnection, "tls": login.tls}
    return options


@contextmanager
def reaching_store() -> Iterator[None]:
    """Turns every way Redis can be away, loading, read-only, full or closed to this user into `StoreUnavailable`.

    An error of the script itself is raised as it is.
    """
    try:
        yield
    except (redis.RedisError, OSError) as error:
        if says_not_now(error):
            raise StoreUnavailable(type(error).__name__, str(error)[:200]) from error
        raise


def says_not_now(error: Exception) -> bool:
    """Whether an error of redis-py means that Redis cannot be used now, and not that the command was wrong."""
    return isinstance(error, _NOT_NOW) or (
        isinstance(error, redis.ResponseError) and (says_demoted(error) or bool(_SAYS_NOT_NOW.search(str(error))))
    )

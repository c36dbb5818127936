"""Leaves connections that stay open though they lead nowhere: to a demoted primary, or into a network that forgot them.

Behind an address that follows the primary (a load balancer, a service of Kubernetes) new connections lead to the new
one, but those that are open stay with the old one for as long as nobody closes them. What it answers to a write gives
it away. Then every connection of this process to that address is closed, those that only read or listen among them,
as they would never find out by themselves.

A firewall or a host that vanished forgets all connections at once, and tells nobody. Found out one by one, each would
cost a thread its whole timeout. So when one gets no answer in time, all by which nothing has come for as long go too.
"""

import contextlib
import os
import re
import socket
import threading
import time
from typing import Any
from weakref import WeakKeyDictionary, ref

import redis

_DEMOTED = (redis.exceptions.ReadOnlyError, redis.exceptions.MasterDownError, redis.exceptions.BusyLoadingError)
_SAYS_DEMOTED = re.compile(
    r"(?:^|-)(?:READONLY|MASTERDOWN|LOADING|UNBLOCKED|NOREPLICAS) "
    r"|WAIT cannot be used with replica|The previous master is now a slave"
)
"""In errors without a class, and in those of scripts: up to Redis 6.2 `ERR ... @user_script: 10: -READONLY ...`.

LOADING is what a demoted one says while it copies the new primary, NOREPLICAS what one says that was cut off from all
others; the last words are what redis-py makes of READONLY behind Sentinel. Where it is no failover, leaving it costs a
connection and nothing else.
"""


def says_demoted(error: BaseException) -> bool:
    """Whether this answer of Redis is that of one which is the primary no longer, or may be."""
    return isinstance(error, _DEMOTED) or (
        isinstance(error, redis.exceptions.RedisError) and bool(_SAYS_DEMOTED.search(str(error)))
    )


class _Open:
    """The open sockets of this process, by the address of the other side, each with its connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By reference, as a connection holds its socket.
        self._sockets: dict[Any, WeakKeyDictionary[socket.socket, ref[Any]]] = {}

    def add(self, sock: socket.socket, connection: Any) -> None:
        with contextlib.suppress(OSError), self._lock:  # one that has gone by now leads nowhere
            self._sockets.setdefault(sock.getpeername(), WeakKeyDictionary())[sock] = ref(connection)

    def leave(self, sock: socket.socket, only_silent: bool = False) -> None:
        """End all that lead to where `sock` leads; nothing if that was done since it was opened.

        `only_silent`: but for those by which an answer came within their timeout.
        """
        with self._lock:
            others = next((each for each in self._sockets.values() if sock in each), None)
            if others is None:
                return
            ended = [each for each, connection in others.items() if not only_silent or _is_silent(connection())]
            for each in (sock, *ended):
                others.pop(each, None)
        for each in ended:
            # Whoever waits at one finds its end at once. Not the TLS socket's own shutdown: it drops the TLS state
            # under the thread that reads.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)


def _is_silent(connection: Any) -> bool:
    """Whether nothing has come by a connection of redis-py (None: it is gone) for as long as an answer may take."""
    if connection is None:
        return True
    # redis-py moves the time of its next check whenever an answer has come.
    heard_at = max(connection.opened_at, connection.next_health_check - connection.health_check_interval)
    return bool(time.monotonic() - heard_at >= connection.socket_timeout)


_open = _Open()


def _forget_parent() -> None:
    """In a forked child: its parent's connections are not its own."""
    global _open
    _open = _Open()


os.register_at_fork(after_in_child=_forget_parent)


def following(kind: type[Any]) -> type[Any]:
    """`kind`, a class of redis-py's connections, but one that leaves what leads nowhere."""

    class Following(kind):  # type: ignore[misc]
        def _connect(self) -> Any:
            sock = super()._connect()
            self.opened_at = time.monotonic()
            _open.add(sock, self)
            return sock

        def read_response(self, *args: Any, **options: Any) -> Any:
            sock = self._sock
            try:
                return super().read_response(*args, **options)
            except redis.exceptions.RedisError as error:
                if says_demoted(error):
                    if sock is not None:
                        _open.leave(sock)
                    # Not at once: of a pipeline more answers are on their way.
                    self.mark_for_reconnect()
                elif isinstance(error, redis.exceptions.TimeoutError) and sock is not None and self._sock is None:
                    _open.leave(sock, only_silent=True)
                raise

    return Following

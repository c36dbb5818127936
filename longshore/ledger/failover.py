"""Disconnects from a Redis that is no longer the primary, though its TCP connections stay open.

Behind an address that follows the primary (a load balancer, a service of Kubernetes) new connections lead to the new
one, but those that are open stay with the old one for as long as nobody closes them. What it answers to a write gives
it away. Then every connection of this process to that address is closed, those that only read or listen among them,
as they would never find out by themselves.
"""

import contextlib
import os
import re
import socket
import threading
from typing import Any
from weakref import WeakSet

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
    """The open sockets of this process, by the address of the other side."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: dict[Any, WeakSet[socket.socket]] = {}

    def add(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), self._lock:  # one that has gone by now leads nowhere
            self._sockets.setdefault(sock.getpeername(), WeakSet()).add(sock)

    def leave(self, sock: socket.socket) -> None:
        """End all that lead to where `sock` leads; nothing if that was done since it was opened."""
        with self._lock:
            others = next((each for each in self._sockets.values() if sock in each), ())
            ended = list(others)
            if isinstance(others, WeakSet):
                others.clear()
        for each in ended:
            # Whoever waits at one finds its end at once. Not the TLS socket's own shutdown: it drops the TLS state
            # under the thread that reads.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)


_open = _Open()


def _forget_parent() -> None:
    """In a forked child: its parent's connections are not its own."""
    global _open
    _open = _Open()


os.register_at_fork(after_in_child=_forget_parent)


def following(kind: type[Any]) -> type[Any]:
    """`kind`, a class of redis-py's connections, but one that leaves a Redis which was demoted."""

    class Following(kind):  # type: ignore[misc]
        def _connect(self) -> Any:
            sock = super()._connect()
            _open.add(sock)
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
                raise

    return Following

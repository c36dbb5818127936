"""Runs scripts over the connections of a redis-py client, without most of what redis-py does around a command.

A delivery makes four of these calls, and the looking for a lost connection before each, the bookkeeping of the pool and
of metrics that nobody reads cost as much as the call itself. So connections stay here between calls, and only one that
has been idle for a while goes through the pool, which looks whether it is still alive.

To the pool, a connection that stays here is in use. So there is one `ScriptConnections` for each client, however many
share it, and no more than half of the pool's connections stay: the rest is for those who use the client itself.
"""

import os
import threading
import time
from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

import redis

_TRUST_S = 1.0
"""How long an idle connection is taken to be alive. If it is not, the call fails as one under way at that moment would,
and every caller of a script can take that."""


class ScriptConnections:
    """Thread safe. `client` must not be a cluster's; its `max_connections` bound how many calls there are at once."""

    def __init__(self, client: "redis.Redis") -> None:
        self._pool: Any = client.connection_pool
        self._max_idle = max(1, self._pool.max_connections // 2)
        self._idle: deque[tuple[Any, float]] = deque()  # redis-py's connections, which have no types

    def run(self, *command: Any) -> Any:
        """What Redis answers to `command`. Raises redis-py's exceptions; nothing is ever repeated."""
        connection = self._connection()
        used_at = 0.0
        try:
            connection.send_command(*command)
            answer = connection.read_response()
            used_at = time.monotonic()
            return answer
        except redis.ResponseError:
            if connection.should_reconnect():  # it led to a Redis that was demoted
                connection.disconnect()
            used_at = time.monotonic()  # an answer like any other
            raise
        except BaseException:
            connection.disconnect()  # an answer may still be on its way
            raise
        finally:
            # Threads that look at the same moment may make it a few more, never more than there are threads.
            if len(self._idle) < self._max_idle:
                self._idle.append((connection, used_at))
            else:
                self._pool.release(connection)

    def _connection(self) -> Any:
        """One that nobody else has, connected."""
        try:
            # The one used last: so few are kept in use, and the others grow old together.
            connection, used_at = self._idle.pop()
        except IndexError:
            return self._pool.get_connection()
        if (
            time.monotonic() - used_at <= _TRUST_S
            and connection.pid == os.getpid()  # otherwise a fork's parent has it too
            and self._pool.owns_connection(connection)  # otherwise Sentinel has found another primary
        ):
            return connection
        self._pool.release(connection)
        return self._pool.get_connection()


_OF_CLIENTS: "WeakKeyDictionary[redis.Redis, ScriptConnections]" = WeakKeyDictionary()
_OF_CLIENTS_LOCK = threading.Lock()


def connections_of(client: "redis.Redis") -> ScriptConnections:
    """The one `ScriptConnections` of `client`; it goes when the client goes."""
    with _OF_CLIENTS_LOCK:
        connections = _OF_CLIENTS.get(client)
        if connections is None:
            connections = _OF_CLIENTS[client] = ScriptConnections(client)
        return connections

"""kombu's Redis transport as the ledger needs it.

*No restoring.* On a lost connection kombu puts unacknowledged messages back into the list, and where that fails the
worker ends. Here a message is only a wake-up call whose lease lapses, so there is nothing to put back.

*What Redis refuses is an outage.* A Redis whose disk is full (MISCONF), that has become a replica (READONLY) or is at
its `maxmemory` (OOM) answers with errors. To kombu those are faults of the channel, over which a worker ends or goes on
deaf; here they are lost connections, so the worker reconnects until Redis takes its commands again.

*Reconnecting does not grow slow.* kombu waits two seconds longer after each try, up to thirty: as long as that a worker
would stay deaf after Redis has come back.

*One address.* kombu would read the URL by rules of its own: it takes no TLS from `rediss://` once it is told a
transport, and knows no `unix://`. Here a connection is made exactly as those of the ledger are, from the transport's
option `address`; what Celery calls the broker's URL is only shown.

*Wake-up calls find room.* At `maxmemory` Redis refuses LPUSH; but what is never handed out never ends and gives no room
back. So the push follows a DEL in one script (see longshore/ledger/scripts/allow_when_full.lua).

`do_restore` and `connection_errors` are class attributes of kombu, not documented options, and `_put` is its own:
tests/integration/tasks/test_transport.py holds them in place.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport import redis
from kombu.utils.json import dumps
from redis.exceptions import ConnectionError, ResponseError

from longshore.ledger.address import Address
from longshore.ledger.connection import options_of, pool_of, sentinels_of
from tasks.celery.tolerant_channel import TolerantChannel

PUSH = "redis.call('DEL', KEYS[1] .. ':room') return redis.call('LPUSH', KEYS[1], unpack(ARGV))"

_MAX_PUSH = 1_000
"""Messages pushed by one command; Lua's `unpack` takes some thousands."""

_WAITS_S = {"interval_start": 0.2, "interval_step": 0.3, "interval_max": 2}

_PAUSE_S = 1.0
"""Before a refused worker reconnects: Redis answers at once, so without it that would be a busy loop."""


@contextmanager
def _outage_if_refused() -> Iterator[None]:
    try:
        yield
    except ResponseError as error:
        # The event loop stands still meanwhile, which costs nothing: leases are renewed in another thread.
        time.sleep(_PAUSE_S)
        raise ConnectionError(f"Redis refuses commands: {error}") from error


class Channel(TolerantChannel):
    """A channel of the kind described above."""

    do_restore = False
    address: Address
    from_transport_options: Any = (*redis.Channel.from_transport_options, "address")

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        connection_options = options_of(self.address)
        self.connection_class = connection_options["connection_class"]
        # kombu's only for the class, in which it wraps the one above.
        kombu_params = super()._connparams(asynchronous)
        return {
            **connection_options,
            "connection_class": kombu_params["connection_class"],
            "max_connections": self.max_connections,
        }

    def _get_pool(self, asynchronous: bool = False) -> Any:
        params = self._connparams(asynchronous)
        self.keyprefix_fanout = self.keyprefix_fanout.format(db=params["db"])
        pool = pool_of(self.address, params)
        # What kombu closes with the pool.
        setattr(self, "_async_sentinel_manager" if asynchronous else "_sentinel_manager", sentinels_of(pool))
        return pool

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        if queue in self._expires:  # replies to Flower, which may be refused
            super()._put(queue, message, **kwargs)
            return
        key = self.global_keyprefix + queue
        if (batch := kwargs.get("_publish_batch")) is not None:
            batch.add("eval", PUSH, 1, key, dumps(message))
            return
        self.push(queue, [dumps(message)])

    def push(self, queue: str, elements: Sequence[str]) -> None:
        """Puts messages, as they lie in the list, into `queue`. Raises redis-py's errors."""
        for first in range(0, len(elements), _MAX_PUSH):
            some = elements[first : first + _MAX_PUSH]
            self._push_client.eval(PUSH, 1, self.global_keyprefix + queue, *some)

    @cached_property
    def _push_client(self) -> Any:
        """For all messages; kombu's way is a client for each, which costs twice as much as the message."""
        return self._create_client()

    def _brpop_read(self, **options: Any) -> Any:
        with _outage_if_refused():
            return super()._brpop_read(**options)

    def _queue_bind(self, *args: Any) -> None:
        with _outage_if_refused():
            super()._queue_bind(*args)


class Transport(redis.Transport):
    """For every kind of address."""

    Channel = Channel
    connection_errors = (*redis.Transport.connection_errors, ResponseError)


class QuickConnection(Connection):
    """A connection that looks for its broker every two seconds at least."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        """As kombu's, with shorter waits between tries (seconds) unless the caller names its own."""
        return super().ensure_connection(*args, **{**_WAITS_S, **options})

    def info(self) -> dict[str, Any]:
        """As kombu's, for `inspect stats` and Flower's page of a worker: a class cannot be sent there, but its name."""
        return {**super().info(), "transport": Transport.driver_type}


class QuickAMQP(AMQP):
    """What a Celery app makes its connections with."""

    Connection = QuickConnection

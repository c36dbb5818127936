"""kombu's Redis transport without restoring.

On a lost connection kombu puts unacknowledged messages back into the list, and where that fails the worker ends. Here a
message is only a wake-up call whose lease lapses, so there is nothing to put back. `do_restore` is a class attribute of
kombu's virtual channel, not a documented option: tests/integration/tasks/test_transport.py holds it in place.
"""

from kombu.transport import redis


class Channel(redis.Channel):
    """A channel that leaves messages of a lost connection to the ledger."""

    do_restore = False


class Transport(redis.Transport):
    """For `redis://`, `rediss://` and `unix://`."""

    Channel = Channel


class SentinelChannel(redis.SentinelChannel):
    """The same behind Sentinel."""

    do_restore = False


class SentinelTransport(redis.SentinelTransport):
    """For `sentinel://`."""

    Channel = SentinelChannel

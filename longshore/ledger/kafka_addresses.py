"""The addresses of Kafka's brokers: ingest learns them and stores them for workers, which must not send webhooks there.

Addresses only: user and password stay with ingest.
"""

from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger


class KafkaAddresses:
    """The addresses of the brokers in the ledger's Redis. Every method raises `StoreUnavailable` when it is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._redis = ledger.redis
        self._key = ledger.keys.brokers

    def write(self, addresses: str) -> None:
        """Store a comma list of `host:port`, in place of the one before."""
        with reaching_store():
            self._redis.set(self._key, addresses)

    def read(self) -> tuple[str, ...]:
        """The stored addresses; empty without any."""
        with reaching_store():
            stored = self._redis.get(self._key)
        return tuple(stored.decode().split(",")) if isinstance(stored, bytes) else ()

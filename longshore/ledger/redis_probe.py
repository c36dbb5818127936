"""The checks of a Redis that health checks and `longshore doctor` make."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from longshore.errors import LongshoreError
from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.redis_requirements import RedisFacts, read_facts


class RedisRefused(LongshoreError):
    """Redis answers with an error that waiting does not mend; `kind` is redis-py's name for it."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.kind = kind
        self.text = text

    def __str__(self) -> str:
        return self.text


class RedisProbe:
    """One Redis. Every method raises `StoreUnavailable` or `RedisRefused` for what keeps Redis from answering."""

    def __init__(self, ledger: Ledger) -> None:
        self._client = ledger.redis
        self._keys = ledger.keys

    def ping(self) -> None:
        """Returns if it answers."""
        with _asking():
            self._client.ping()

    def write(self) -> None:
        """Returns if it takes writes: not as a replica, nor full, nor where it cannot write to its disk.

        Changes nothing and is written nowhere, but is refused like any other write.
        """
        with _asking():
            self._client.setrange(self._keys.room, 0, "")

    def facts(self) -> RedisFacts:
        """All that it says of itself."""
        with _asking():
            return read_facts(self._client, closely=True)

    def latencies_ms(self, count: int) -> list[float]:
        """How long each of `count` answers took."""
        latencies = []
        for _ in range(count):
            started = time.perf_counter()
            self.ping()
            latencies.append((time.perf_counter() - started) * 1000)
        return latencies

    def clock_s(self) -> float:
        """Its own time, in seconds since 1970."""
        with _asking():
            seconds, micros = self._client.time()
        return int(seconds) + int(micros) / 1e6


@contextmanager
def _asking() -> Iterator[None]:
    try:
        with reaching_store():
            yield
    except redis.RedisError as error:
        raise RedisRefused(type(error).__name__, str(error)) from error

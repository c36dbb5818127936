"""A Redis to which can happen what happens in production: its disk is full, it loads for long, it stands still."""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from longshore.runtime.embedded_redis import HOST, EmbeddedRedis
from tests.support.programs import eventually

# Python ignores SIGXFSZ, and what it becomes inherits that: a write beyond the limit is then an error, as on a full
# disk, and does not end the process.
_BECOME = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
READY_S = 120.0
BALLAST = 20_000
"""Commands; between two looks at its clients a loading Redis does about a thousand."""
POLL_S = 0.02


class FaultyRedis(EmbeddedRedis):
    """As EmbeddedRedis.

    `options` are more of redis-server's, by name, and `environ` are variables more, from the next start on; callers
    change them.
    """

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.options: dict[str, str] = {}
        self.environ: dict[str, str] = {}

    def argv(self) -> list[str]:
        """The command line; see EmbeddedRedis."""
        more = [part for name, value in self.options.items() for part in (f"--{name}", value)]
        variables = [f"{name}={value}" for name, value in self.environ.items()]
        return [sys.executable, "-I", "-S", "-c", _BECOME, "/usr/bin/env", *variables, *super().argv(), *more]

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """After half an hour of load, what it has written takes longer to be read than the little of other tests."""
        super().wait_ready(timeout_s)

    def client(self) -> redis.Redis:
        """A client, to be closed by the caller."""
        return redis.Redis(
            host=HOST, port=self.port, decode_responses=True, socket_timeout=10, retry=Retry(NoBackoff(), 0)
        )

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """No byte more fits into the append-only file within the `with`."""
        assert self.process is not None
        largest = max(path.stat().st_size for path in self.data_dir.rglob("*.aof"))
        before = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (largest, before[1]))
        try:
            yield
        finally:
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, before)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """It lives and takes connections, but answers nothing within the `with`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def lengthen_log(self) -> None:
        """Give it so much to load that it looks up from loading, and answers, many times meanwhile."""
        with self.client() as client, client.pipeline(transaction=False) as pipe:
            for number in range(BALLAST):
                pipe.set("ballast", number)
            pipe.execute()

    def start_loading(self, for_s: float) -> None:
        """Start it with its data, which takes about `for_s`; returns when it has begun to answer LOADING."""
        commands = sum(path.read_bytes().count(b"\r\n*") for path in self.data_dir.rglob("*.aof"))
        self.options["key-load-delay"] = str(max(1, round(for_s * 1e6 / max(commands, 1))))
        self._spawn()
        del self.options["key-load-delay"]
        with self.client() as client:

            def is_loading() -> bool:
                try:
                    client.ping()
                except redis.exceptions.BusyLoadingError:
                    return True
                except redis.ConnectionError:
                    return False
                raise AssertionError("it never said LOADING")

            eventually(is_loading, "it says LOADING", READY_S)

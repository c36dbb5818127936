"""A Redis server of our own, started as a child process.

Owns the process, its data folder (when none was given) and its command line. It is durable like the Redis a production
needs: append-only file fsynced every second, nothing evicted. It has no password: whoever reaches a Redis can have it
write files as our user. So it listens at a unix socket in a folder that only this user may enter, as its data are; for
tests also at the loopback address, which every user of the machine reaches. It leaves to others what is stored in it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from longshore.errors import LongshoreError

HOST = "127.0.0.1"
PROGRAM = "redis-server"
SOCKET = "redis.sock"
LONGEST_SOCKET_PATH = 104
"""Bytes; Linux takes 107 and others fewer, and Redis cuts what is longer."""
LASTING_PORTS = range(20_000, 32_768)
"""Below those from which Linux takes the near ends of connections: among these a free port stays free, also while a
server is down, and no client that tries to reach it can be given the very port."""
PORT_TRIES = 50
STARTS = 3
"""How often another free port is tried: between choosing one and Redis binding it, anybody may take it."""
POLL_S = 0.01
"""How often readiness is asked for: Redis needs 5 to 20 ms to come up."""


class RedisMissing(LongshoreError):
    """No `redis-server` program was found; the text says how to get one."""

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return (
            f"No {PROGRAM} program found on PATH or beside {sys.executable}. Install one "
            "(Debian: apt install redis-server; in a clone of the repository `make setup` puts one into .venv/bin), "
            "or set REDIS_URL to a Redis that is already running."
        )


class RedisNotReady(LongshoreError):
    """The Redis process ended, or did not answer in time; names the problem and the end of its log."""

    def __init__(self, problem: str, log: str) -> None:
        super().__init__(problem, log)
        self.problem = problem
        self.log = log

    def __str__(self) -> str:
        return f"The embedded Redis is not ready: {self.problem}. The end of its log:\n{self.log}"


def find_program() -> str:
    """The path of `redis-server`, from PATH or else beside the running Python; raises `RedisMissing`."""
    path = shutil.which(PROGRAM) or shutil.which(PROGRAM, path=str(Path(sys.executable).parent))
    if path is None:
        raise RedisMissing
    return path


def free_port() -> int:
    """A TCP port nobody listens on now at the loopback address."""
    for port in random.SystemRandom().sample(LASTING_PORTS, PORT_TRIES):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        any_port: int = probe.getsockname()[1]
        return any_port


class EmbeddedRedis:
    """One Redis process, restartable on the same port with the same data.

    `data_dir` is made when missing and keeps the data; None means a temporary folder that `stop` deletes.
    With `private` it has a unix socket and no port; otherwise `port` 0 means any free one. `max_memory_mb` 0 means no
    limit. A supervisor may run `argv()` itself instead of calling `start`.
    """

    def __init__(
        self, data_dir: Path | None = None, port: int = 0, *, private: bool = False, max_memory_mb: int = 0
    ) -> None:
        self.program = find_program()
        self.temporary = data_dir is None
        self.data_dir = _own_folder() if data_dir is None else data_dir
        self._make_data_dir()
        self._folder = self._socket_folder() if private else None
        self.any_port = port == 0 and not private
        self.port = 0 if private else port or free_port()
        self.max_memory_mb = max_memory_mb
        self.log_path = self.data_dir / "redis.log"
        self.process: subprocess.Popen[bytes] | None = None

    def argv(self) -> list[str]:
        """The command line that runs this server in the foreground, logging to standard output."""
        options = {
            **self._place(),
            "dir": str(self.data_dir.absolute()),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",  # the append-only file is the truth; a snapshot beside it would only cost a fork
            "maxmemory": f"{self.max_memory_mb}mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [self.program, *(part for name, value in options.items() for part in (f"--{name}", value))]

    @property
    def url(self) -> str:
        """The `REDIS_URL` of this server, database 0."""
        return f"redis://{HOST}:{self.port}/0" if self._folder is None else f"unix://{self._folder / SOCKET}?db=0"

    @property
    def running(self) -> bool:
        """Whether the process started by `start` lives."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> EmbeddedRedis:
        """Start the process and wait until it answers; raises `RedisNotReady`. Does nothing when it runs already."""
        if self.running:
            return self
        for tries_left in reversed(range(STARTS)):
            self._spawn()
            try:
                self.wait_ready()
                break
            except RedisNotReady:
                self.kill()
                # Once it has run here, clients know the port and it must stay.
                if not (self.any_port and tries_left and self._port_was_taken()):
                    raise
                self.port = free_port()
        self.any_port = False
        return self

    def wait_ready(self, timeout_s: float = 10) -> None:
        """Wait until the server answers, its data loaded; raises `RedisNotReady` after `timeout_s` or if it died."""
        # Here, as a supervisor only starts the process, and this is a third of its memory.
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        deadline = time.monotonic() + timeout_s
        client = redis.Redis.from_url(self.url, socket_timeout=1, retry=Retry(NoBackoff(), 0))
        with client:
            while True:
                try:
                    # Whoever took our port would answer too, so our own process must live as well.
                    if client.ping() and (self.process is None or self.process.poll() is None):
                        return
                    problem = "another process answers on its port"
                except redis.RedisError as error:
                    problem = f"it did not answer within {timeout_s:g} s ({type(error).__name__})"
                if self.process is not None and self.process.poll() is not None:
                    raise RedisNotReady(f"it ended with code {self.process.returncode}", self._log_end())
                if time.monotonic() >= deadline:
                    raise RedisNotReady(problem, self._log_end())
                time.sleep(POLL_S)

    def kill(self) -> None:
        """End the process with SIGKILL, as a crash would; the data stays for the next `start`."""
        self._end(signal.SIGKILL, grace_s=10)

    def stop(self, *, grace_s: float = 5) -> None:
        """End the process cleanly (SIGKILL after `grace_s`) and delete the data if the folder is a temporary one."""
        self._end(signal.SIGTERM, grace_s)
        if self.temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)
        if self._folder not in (None, self.data_dir):
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> EmbeddedRedis:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _place(self) -> dict[str, str]:
        if self._folder is None:
            return {"bind": HOST, "port": str(self.port)}
        return {"port": "0", "unixsocket": str(self._folder / SOCKET), "unixsocketperm": "700"}

    def _socket_folder(self) -> Path:
        if self.temporary:
            return self.data_dir
        try:
            # Not beside data that lasts: its path may be too long for a socket, and volumes of some kinds hold none.
            return _own_folder()
        except OSError:
            return self.data_dir  # nothing else can be written to

    def _make_data_dir(self) -> None:
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One that was there before. A volume may belong to root; then who may enter it is its owner's choice.
        with suppress(PermissionError):
            self.data_dir.chmod(0o700)

    def _spawn(self) -> None:
        self._make_data_dir()
        with self.log_path.open("ab") as log:
            # A session of its own: Ctrl-C at the terminal must reach us, not Redis, which the others still need.
            self.process = subprocess.Popen(
                self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_bare_env()
            )

    def _end(self, how: signal.Signals, grace_s: float) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _port_was_taken(self) -> bool:
        return "Address already in use" in self._log_end()

    def _log_end(self, size: int = 2000) -> str:
        try:
            return self.log_path.read_bytes()[-size:].decode("utf-8", "replace").strip()
        except OSError:
            return "(no log)"


def _own_folder() -> Path:
    """A new folder that only this user may enter, with a path short enough for a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="longshore-redis-"))
    if len(os.fsencode(folder / SOCKET)) < LONGEST_SOCKET_PATH:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="longshore-redis-", dir="/tmp"))


def _bare_env() -> dict[str, str]:
    # Redis needs none of our settings, and what it does not have it cannot show.
    return {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR", "TZ"}}

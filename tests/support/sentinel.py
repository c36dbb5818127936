"""A sentinel as a process."""

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from longshore.runtime.embedded_redis import HOST, EmbeddedRedis, find_program, free_port
from tests.support.programs import eventually


class Sentinel:
    """Watches a primary called `ours`, whose password is `auth`; wants `password` itself, if it is given one."""

    def __init__(self, folder: Path, primary: EmbeddedRedis, auth: str = "", password: str = "") -> None:
        self.port = free_port()
        self._password = password or None
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind {HOST}\ndir {folder}\nsentinel monitor ours {HOST} {primary.port} 1\n"
            "sentinel down-after-milliseconds ours 1000\nsentinel failover-timeout ours 5000\n"
            + (f"sentinel auth-pass ours {auth}\n" if auth else "")
            + (f"requirepass {password}\n" if password else "")
        )
        with (folder / "sentinel.log").open("wb") as log:
            self._process = subprocess.Popen([find_program(), str(config), "--sentinel"], stdout=log, stderr=log)

    @property
    def url(self) -> str:
        """The `REDIS_URL` that asks it."""
        return f"sentinel://{HOST}:{self.port}/0"

    def knows_its_replica(self) -> bool:
        """Whether it has found one."""
        return any(not each["is_disconnected"] for each in self._asked("sentinel_slaves"))

    def sees_its_primary(self) -> bool:
        """Whether it can talk to it."""
        return any(not each["is_disconnected"] for each in self._asked("sentinel_masters"))

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(10)

    def __enter__(self) -> Self:
        eventually(self.sees_its_primary, "the sentinel sees its primary")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _asked(self, what: str) -> list[Any]:
        try:
            with redis.Redis(port=self.port, password=self._password) as client:
                found: Any = client.sentinel_masters() if what == "sentinel_masters" else client.sentinel_slaves("ours")
        except redis.ConnectionError:
            return []
        return list(found.values() if isinstance(found, dict) else found)

"""Where the Redis that `longshore run` brings listens, for commands that are run beside it.

It listens at a socket in a folder with a random name, which `longshore status` beside it could not know. The
address stands in a file of the temporary folder (`TMPDIR`), which only this user can write, and only as long as the
agent runs. The file is one per user and agent.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from config.environment import read_environment
from config.roles import Role
from config.settings import Settings, load

_LARGEST = 200


@contextmanager
def publish(settings: Settings, url: str) -> Iterator[None]:
    """Has `read` answer `url` for this agent meanwhile; without a folder that can be written to, nothing happens."""
    path = _path(settings)
    with suppress(OSError):
        path.unlink(missing_ok=True)  # of an agent that was killed; whatever else has that name stays, and is not ours
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(url)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def read(settings: Settings) -> str:
    """The address of the Redis that an agent of this user has published, empty if none has."""
    try:
        with os.fdopen(os.open(_path(settings), os.O_RDONLY | os.O_NOFOLLOW)) as file:
            # In /tmp anybody could put a file of that name, and have us ask a Redis of theirs.
            return file.read(_LARGEST) if os.fstat(file.fileno()).st_uid == os.geteuid() else ""
    except (OSError, UnicodeDecodeError):
        return ""


def settings_beside_an_agent() -> Settings:
    """The settings of a worker; without REDIS_URL the Redis is that of `longshore run` beside us.

    Raises `ConfigProblems`, also where there is no REDIS_URL and no such agent.
    """
    environ: Mapping[str, str] = read_environment()
    if not environ.get("REDIS_URL") and not environ.get("REDIS_URL_FILE"):
        # It has no password, whatever stands there for another Redis.
        bare = {"REDIS_PASSWORD": "", "REDIS_PASSWORD_FILE": ""}
        environ = {**environ, **bare, "REDIS_URL": read(load(environ, role=Role.RUN))}
    return load(environ, role=Role.WORKER)


def _path(settings: Settings) -> Path:
    name = hashlib.sha256(settings.namespace.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"longshore-redis-of-{os.geteuid()}-{name}"

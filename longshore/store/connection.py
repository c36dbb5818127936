"""How a process reaches Redis: timeouts instead of eternal waits, one error for all ways of being away."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from longshore.errors import StoreUnavailable
from longshore.store.failover import following, says_demoted

_TIMEOUT_S = 10.0  # a Redis that does not answer for so long is away
_CONNECT_S = 3.0

PLAIN = {"protocol": 2, "driver_info": None}
"""Nothing of CLIENT is sent (SETINFO, and MAINT_NOTIFICATIONS with protocol 3): Redis 6.2 knows neither, and
refuses and logs what a user may not use."""

_NOT_NOW = (
    redis.ConnectionError,  # LOADING and a password that is not valid (yet) are subclasses
    redis.TimeoutError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.TryAgainError,
    redis.exceptions.NoPermissionError,  # until somebody mends the user's rights
    OSError,
)
_SAYS_NOT_NOW = re.compile(
    r"(?:^|-)(?:OOM|MISCONF|BUSY|UNKILLABLE|LAYOUT) |ACL failure in script|The user executing the script can't "
)
"""Those without a class; and up to Redis 6.2 all that a script met: `ERR ... @user_script: 10: -OOM command ...`."""


def connect(
    url: str, connections: int = 50, master_name: str = "mymaster", timeout_s: float = _TIMEOUT_S
) -> redis.Redis:
    """A client for `redis://`, `rediss://`, `unix://` or `sentinel://host:port[;sentinel://host:port]/db`.

    Connects on first use. Never repeats a command by itself: the callers know which of their scripts may be repeated.
    Leaves a Redis that says it is the primary no longer, see failover.py.
    """
    options: dict[str, object] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": min(_CONNECT_S, timeout_s),
        "socket_keepalive": True,
        "health_check_interval": 5,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": connections,
        **PLAIN,
    }
    if url.startswith("sentinel://"):
        parts = [urlsplit(part) for part in url.split(";")]
        hosts = [(part.hostname or "localhost", part.port or 26379) for part in parts]
        db = parts[-1].path.strip("/") or "0"
        sentinel = Sentinel(hosts, socket_timeout=_CONNECT_S)  # type: ignore[no-untyped-call]
        client: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
            master_name, db=int(db), password=parts[0].password, **options
        )
    else:
        client = redis.Redis.from_url(url, **options)
    pool = client.connection_pool
    pool.connection_class = following(pool.connection_class)
    return client


@contextmanager
def reaching_store() -> Iterator[None]:
    """Turns every way Redis can be away, loading, read-only, full or closed to this user into `StoreUnavailable`.

    A script's own fault stays what it is.
    """
    try:
        yield
    except _NOT_NOW as error:
        raise StoreUnavailable(type(error).__name__, str(error)[:200]) from error
    except redis.exceptions.ResponseError as error:
        if says_demoted(error) or _SAYS_NOT_NOW.search(str(error)):
            raise StoreUnavailable(type(error).__name__, str(error)[:200]) from error
        raise

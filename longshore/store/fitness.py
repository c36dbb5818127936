"""Whether a Redis may be trusted with the ledger: its version, what it evicts, what it keeps on disk.

Looked at once, at the start of every program. What would lose invocations is refused; what only might is told.
"""

from typing import Any

import redis

from longshore.errors import ConfigError, StoreUnavailable
from longshore.store.connection import reaching_store

OLDEST = (6, 2)
POLICY = "noeviction"
_VARIABLE = "REDIS_URL"


def check_fitness(client: "redis.Redis") -> list[str]:
    """What should be better about this Redis, one text each.

    Raises ConfigError if it cannot hold the ledger, StoreUnavailable while it cannot be asked: also while it is a
    replica, which it may not stay.
    """
    with reaching_store():
        info = _info(client)
        policy = str(info.get("maxmemory_policy") or _configured(client, "maxmemory-policy") or "")
        saves = _configured(client, "save")
    if info.get("role") == "slave":
        raise StoreUnavailable("ReadOnlyError", "it is a replica and takes no writes")
    _refuse_old(str(info.get("redis_version", "")))
    if info.get("redis_mode") == "cluster":
        raise ConfigError(
            _VARIABLE, "leads to a Redis Cluster, which Celery cannot use", "Use a single Redis, or Sentinel"
        )
    if policy not in (POLICY, ""):
        raise ConfigError(
            _VARIABLE,
            f"this Redis evicts keys when its memory is full (maxmemory-policy {policy}), so invocations would be lost",
            f"Set `maxmemory-policy {POLICY}` in redis.conf; at once: `redis-cli config set maxmemory-policy {POLICY}`",
        )
    return [*_policy_unseen(policy), *_persistence(info, saves)]


def _info(client: "redis.Redis") -> dict[str, Any]:
    try:
        info: Any = client.info()
    except redis.exceptions.ResponseError as error:
        if not _forbidden(error):
            raise
        return {}
    return dict(info)


def _configured(client: "redis.Redis", name: str) -> str | None:
    """A value of its configuration; None where CONFIG is not allowed, as with many hosted ones."""
    try:
        values: Any = client.config_get(name)
    except redis.exceptions.ResponseError as error:
        if not _forbidden(error):
            raise
        return None
    return {_text(key): _text(value) for key, value in values.items()}.get(name)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _forbidden(error: redis.exceptions.ResponseError) -> bool:
    return isinstance(error, redis.exceptions.NoPermissionError) or "unknown" in str(error).lower()


def _refuse_old(version: str) -> None:
    parts = version.split(".")
    if len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit() and (int(parts[0]), int(parts[1])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ConfigError(_VARIABLE, f"this Redis is version {version}, which is too old", f"Use {oldest} or newer")


def _policy_unseen(policy: str) -> list[str]:
    if policy:
        return []
    return [f"What this Redis evicts cannot be seen; make sure that its maxmemory-policy is {POLICY}."]


def _persistence(info: dict[str, Any], saves: str | None) -> list[str]:
    if info.get("aof_enabled") != 0:
        return []
    lost = "everything that is not in Kafka any more" if saves == "" else "what came since its last snapshot"
    return [f"This Redis writes no append-only file: when it ends, {lost} is lost. Set appendonly yes."]

"""Whether a Redis may be trusted with the ledger: its version, what it evicts, what it keeps on disk.

Checked once, at the start of every program. What would lose invocations is refused; what only might is logged.
"""

import re
from dataclasses import dataclass
from typing import Any

import redis

from longshore.errors import ConfigError, StoreUnavailable
from longshore.ledger.connection import reaching_store

OLDEST = (6, 2)
POLICY = "noeviction"
_VARIABLE = "REDIS_URL"

_PATCHED = {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2}
_PATCHED_VALKEY = {(7, 2): 11, (8, 0): 6, (8, 1): 4}
"""Series of releases, and the first of each without the flaws below; later series never had them."""
FLAWS = (
    "whoever may run scripts can run code in the server (Lua: CVE-2025-49844, CVE-2024-46981, CVE-2024-31449), and "
    "clients can fill its memory before they log in (CVE-2025-21605)"
)


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a Redis says of itself; empty text or None for what it does not say."""

    version: str
    mode: str
    role: str
    policy: str
    aof: bool | None
    fsync: str
    saves: str | None
    used_bytes: int | None
    max_bytes: int
    """`maxmemory`; 0 for no limit."""
    valkey: str = ""
    """Its version as a Valkey; `version` is then that of a Redis it can stand in for."""


def read_facts(client: "redis.Redis", *, closely: bool = False) -> RedisFacts:
    """What can be known of this Redis. Raises StoreUnavailable while it cannot be asked.

    CONFIG GET shows passwords, so the documented user may not use it: it is asked only for what INFO did not tell, and
    `closely`, for doctor, also for `fsync`, which INFO never tells.
    """
    with reaching_store():
        info = _info(client)
        policy = str(info.get("maxmemory_policy") or _configured(client, "maxmemory-policy") or "")
        aof = info.get("aof_enabled")
        used = info.get("used_memory")
        return RedisFacts(
            version=str(info.get("redis_version", "")),
            mode=str(info.get("redis_mode", "")),
            role=str(info.get("role", "")),
            policy=policy,
            aof=None if aof is None else aof != 0,
            fsync=(_configured(client, "appendfsync") or "") if closely else "",
            saves=_configured(client, "save") if aof == 0 else None,
            used_bytes=None if used is None else int(used),
            max_bytes=int(info.get("maxmemory") or 0),
            valkey=str(info.get("valkey_version", "")),
        )


def check_requirements(client: "redis.Redis") -> list[str]:
    """What should be better about this Redis, one text each.

    Raises ConfigError if it cannot hold the ledger, StoreUnavailable while it cannot be asked: also while it is a
    replica, which it may not stay.
    """
    facts = read_facts(client)
    if facts.role == "slave":
        client.connection_pool.disconnect()  # the address may lead to another one by now
        raise StoreUnavailable("ReadOnlyError", "it is a replica and takes no writes")
    for error in (too_old(facts), clustered(facts), evicts(facts)):
        if error is not None:
            raise error
    return [*_policy_unseen(facts.policy), *persistence(facts)]


def too_old(facts: RedisFacts) -> ConfigError | None:
    """What is wrong with its version, if anything."""
    parts = facts.version.split(".")
    if len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit() and (int(parts[0]), int(parts[1])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return ConfigError(
            _VARIABLE, f"this Redis is version {facts.version}, which is too old", f"Use {oldest} or newer"
        )
    return None


def unpatched(facts: RedisFacts) -> str:
    """The version that this one should be updated to for the sake of `FLAWS`; empty if there is nothing to be done."""
    patches = _PATCHED_VALKEY if facts.valkey else _PATCHED
    version = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", facts.valkey or facts.version)
    if version is None:
        return ""
    major, minor, patch = (int(part or 0) for part in version.groups())
    series = (major, minor)
    if series > max(patches) or patch >= patches.get(series, patch + 1):
        return ""
    best = series if series in patches else min(each for each in patches if each > series)
    return f"{best[0]}.{best[1]}.{patches[best]}"


def clustered(facts: RedisFacts) -> ConfigError | None:
    """What is wrong when it is a Redis Cluster."""
    if facts.mode != "cluster":
        return None
    return ConfigError(
        _VARIABLE, "leads to a Redis Cluster, which Celery cannot use", "Use a single Redis, or Sentinel"
    )


def evicts(facts: RedisFacts) -> ConfigError | None:
    """What is wrong with what it does when its memory is full, if anything."""
    if facts.policy in (POLICY, ""):
        return None
    return ConfigError(
        _VARIABLE,
        f"this Redis evicts keys when its memory is full (maxmemory-policy {facts.policy}): invocations would be lost",
        f"Set `maxmemory-policy {POLICY}` in redis.conf; at once: `redis-cli config set maxmemory-policy {POLICY}`",
    )


def persistence(facts: RedisFacts) -> list[str]:
    """What should be better about what it keeps on disk."""
    if facts.aof is not False:
        return []
    lost = "everything that is not in Kafka any more" if facts.saves == "" else "what came since its last snapshot"
    return [f"This Redis writes no append-only file: when it ends, {lost} is lost. Set appendonly yes."]


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


def _policy_unseen(policy: str) -> list[str]:
    if policy:
        return []
    return [f"What this Redis evicts cannot be seen; make sure that its maxmemory-policy is {POLICY}."]

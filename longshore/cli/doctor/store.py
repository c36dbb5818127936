"""Redis: whether it can be reached and may hold the ledger, how fast it answers, and how full it is."""

import time
from collections.abc import Iterator
from statistics import median

from config.roles import Role
from longshore.cli.doctor.clocks import compared
from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.errors import ConfigError, StoreUnavailable
from longshore.ledger.redis_probe import RedisProbe, RedisRefused
from longshore.ledger.redis_requirements import (
    FLAWS,
    OLDEST,
    POLICY,
    RedisFacts,
    clustered,
    evicts,
    persistence,
    too_old,
    unpatched,
)
from longshore.operations.ledger_access import open_ledger

PINGS = 20
SLOW_MS = 10.0
"""Each delivery waits for Redis three times; beyond this that is more than the rest of it costs us."""
FULL = 0.9
"""Share of `maxmemory` beyond `REDIS_MEMORY_LIMIT_RATIO` at which even results find no room soon."""

_REMEDIES = {
    "AuthenticationError": "Put the right user and password into REDIS_URL, percent-encoded: redis://user:password@host:6379/0",
    "NoPermissionError": "Give this user all commands and keys: its ACL forbids something",
    "BusyLoadingError": "Wait: it is still reading its data from disk",
    "ReadOnlyError": "Name the primary in REDIS_URL, or use sentinel:// addresses",
    "TimeoutError": "Check the address in REDIS_URL and what stands between: a firewall drops the packets, or it hangs",
    "ConnectionError": "Check the address in REDIS_URL, that Redis runs, and for TLS that it is rediss://",
}

_SENTINELS = "Check the sentinels' addresses in REDIS_URL, REDIS_MASTER_NAME, and for TLS REDIS_SENTINEL_TLS"
_SENTINELS_LOGIN = (
    "Put what the sentinels themselves want into REDIS_SENTINEL_PASSWORD and REDIS_SENTINEL_USERNAME; "
    "REDIS_URL holds the password of the Redis behind them"
)
_NAME = "Use a name in REDIS_URL that its certificate is for; behind Sentinel, let it announce hostnames"
_CLEAR = "It speaks no TLS at this port: write redis://, or name the port with TLS"
_TLS = {
    "Hostname mismatch": _NAME,
    "IP address mismatch": _NAME,
    "CERTIFICATE_VERIFY_FAILED": "Mount its CA's certificate below LONGSHORE_CA_DIR, or name a bundle in SSL_CERT_FILE",
    "WRONG_VERSION_NUMBER": _CLEAR,
    "RECORD_LAYER_FAILURE": _CLEAR,
    "CERTIFICATE_REQUIRED": "Give a client certificate: ?ssl_certfile=/path&ssl_keyfile=/path at the end of REDIS_URL",
}
"""What OpenSSL says, and what to do."""

_REFUSALS = {
    "MISCONF": "Make room on its disk, or repair it: its log says what could not be written",
    "OutOfMemoryError": "Raise maxmemory, or requeue and drop dead letters (KEEP_DEAD_COUNT)",
    "NOREPLICAS": "Bring its replicas back, or lower min-replicas-to-write",
    "NoPermissionError": _REMEDIES["NoPermissionError"],
    "No permissions": _REMEDIES["NoPermissionError"],
    "ReadOnlyError": _REMEDIES["ReadOnlyError"],
}


def check(context: CheckContext) -> Iterator[Finding]:
    """All about the Redis at `REDIS_URL`."""
    url = context.settings.redis_url
    if not url:
        if context.role is Role.RUN:
            yield ok("REDIS_URL is empty: `longshore run` brings a Redis of its own, which is not looked at")
        else:
            yield broken("REDIS_URL is empty, so there is nothing to look at", "Give the address of your Redis")
        return
    with open_ledger(context.settings, 2).ledger as ledger:
        probe = RedisProbe(ledger)
        try:
            probe.ping()
            facts = probe.facts()
        except (StoreUnavailable, RedisRefused) as error:
            yield _away(*map(str, error.args[:2]))
            return
        yield ok("it answers")
        for finding in (_version, _kind, _policy, _persistence, _memory):
            yield from finding(facts, context)
        if facts.role != "slave":
            yield _writes(probe)
        yield _latency(probe)
        yield _clock(probe)


def _away(kind: str, reason: str) -> Finding:
    text = f"it cannot be asked: {reason}"
    for pattern, remedy in _TLS.items():
        if pattern in text:
            return broken(text, remedy)
    wants_login = any(word in text.lower() for word in ("auth", "password", "wrongpass"))
    if kind == "MasterNotFoundError":
        return broken(text, _SENTINELS_LOGIN if wants_login else _SENTINELS)
    return broken(text, _REMEDIES.get("AuthenticationError" if wants_login else kind, _REMEDIES["ConnectionError"]))


def _version(facts: RedisFacts, _: CheckContext) -> Iterator[Finding]:
    if not facts.version:
        yield warning("its version cannot be seen (INFO is forbidden)", f"Make sure it is {OLDEST[0]}.{OLDEST[1]}+")
    elif (error := too_old(facts)) is not None:
        yield _refused(error)
    elif better := unpatched(facts):
        yield warning(
            f"version {facts.valkey or facts.version}, which by its number has known flaws: {FLAWS}",
            f"Update it to {better} or newer, unless your distribution has mended this one; let nobody else log in",
        )
    else:
        yield ok(f"version {facts.valkey or facts.version}")


def _kind(facts: RedisFacts, _: CheckContext) -> Iterator[Finding]:
    if (error := clustered(facts)) is not None:
        yield _refused(error)
    if facts.role == "slave":
        yield broken("it is a replica and takes no writes", _REMEDIES["ReadOnlyError"])


def _policy(facts: RedisFacts, _: CheckContext) -> Iterator[Finding]:
    if (error := evicts(facts)) is not None:
        yield _refused(error)
    elif not facts.policy:
        yield warning("what it evicts cannot be seen", f"Make sure that its maxmemory-policy is {POLICY}")
    else:
        yield ok(f"maxmemory-policy {facts.policy}: it evicts nothing")


def _persistence(facts: RedisFacts, context: CheckContext) -> Iterator[Finding]:
    if advice := persistence(facts):
        yield warning(advice[0].removesuffix(" Set appendonly yes."), "Set appendonly yes")
    elif facts.aof is None:
        yield warning("whether it keeps anything on disk cannot be seen", "Make sure that appendonly is yes")
    elif facts.fsync == "no":
        yield warning(
            "appendfsync no: a crash of its machine loses what the system has not written yet, often 30 seconds",
            "Set appendfsync everysec, or raise COMMIT_DELAY_S above what may be lost",
        )
    else:
        yield ok(f"append-only file, appendfsync {facts.fsync or 'unknown'}")
    if facts.fsync == "everysec" and context.settings.commit_delay_s < 1 and not context.settings.commits_finished:
        yield warning(
            "COMMIT_DELAY_S is less than the second that appendfsync everysec may lose", "Set it to 3, the default"
        )


def _memory(facts: RedisFacts, context: CheckContext) -> Iterator[Finding]:
    if facts.used_bytes is None:
        yield warning("how full it is cannot be seen (INFO is forbidden)", "Watch its memory")
        return
    used = f"{facts.used_bytes / 2**20:.0f} MiB used"
    if not facts.max_bytes:
        yield warning(
            f"{used}, and no maxmemory: ingest cannot pause before the machine's memory is full",
            "Set maxmemory to what the machine can spare",
        )
        return
    share = facts.used_bytes / facts.max_bytes
    text = f"{used}, {share:.0%} of maxmemory"
    limit = context.settings.redis_memory_limit_ratio
    if share >= max(FULL, limit):
        yield broken(f"{text}: it is full", "Raise maxmemory, or requeue and drop dead letters (KEEP_DEAD_COUNT)")
    elif share >= limit:
        yield warning(f"{text}: ingest pauses above {limit:.0%} (REDIS_MEMORY_LIMIT_RATIO)", "Raise maxmemory")
    else:
        yield ok(text)


def _writes(probe: RedisProbe) -> Finding:
    try:
        probe.write()
    except (StoreUnavailable, RedisRefused) as error:
        text = str(error)
        remedy = next((what for pattern, what in _REFUSALS.items() if pattern in text), "See its log")
        return broken(f"it takes no writes: {text}", remedy)
    return ok("it takes writes")


def _latency(probe: RedisProbe) -> Finding:
    times = probe.latencies_ms(PINGS)
    half, worst = median(times), max(times)
    text = f"{half:.1f} ms to an answer, {worst:.1f} ms at worst of {PINGS}"
    if half > SLOW_MS:
        return warning(text, "Bring agent and Redis closer together, or find what keeps Redis busy (SLOWLOG GET)")
    return ok(text, median_ms=round(half, 3), worst_ms=round(worst, 3))


def _clock(probe: RedisProbe) -> Finding:
    before = time.time()
    clock_s = probe.clock_s()
    return compared("Redis", clock_s - (before + time.time()) / 2)


def _refused(error: ConfigError) -> Finding:
    return broken(error.problem, error.remedy)

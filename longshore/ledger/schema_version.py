"""The layout of the ledger: names of keys, scores, states, and the fields that scripts work with.

All programs on one Redis share it, so it changes only where all of them are stopped. The ledger says which one it has;
the scripts of another layout refuse to run, and programs refuse to start.
"""

from typing import Any

import redis

from longshore.errors import ConfigError
from longshore.ledger.connection import reaching_store
from longshore.ledger.keys import Keys
from longshore.ledger.limits import SCHEMA_VERSION


def check_schema_version(client: "redis.Redis", keys: Keys) -> None:
    """Raises ConfigError if the ledger is of another layout than this version's, StoreUnavailable without an answer."""
    with reaching_store():
        version: Any = client.hget(keys.clock, "layout")
    theirs = (version or b"").decode()
    if theirs in ("", str(SCHEMA_VERSION)):
        return
    newer = not theirs.isdigit() or int(theirs) > SCHEMA_VERSION
    whose = "a newer" if newer else "an older"
    remedy = "Use the version that wrote it" if newer else "Use the version that wrote it, or follow our release notes"
    raise ConfigError(
        "REDIS_URL",
        f"the ledger there is of {whose} version: its layout is {theirs}, and this version works with {SCHEMA_VERSION}",
        f"{remedy}; see docs/how-to/upgrade.md",
    )

"""The layout of the ledger: names of keys, scores, states, and the fields that scripts work with.

All programs on one Redis share it, so it changes only where all of them are stopped. The ledger says which one it has;
the scripts of another layout refuse to run, and programs refuse to start.
"""

from typing import Any

import redis

from longshore.errors import ConfigError
from longshore.store.connection import reaching_store
from longshore.store.keys import Keys
from longshore.store.limits import LAYOUT


def check_layout(client: "redis.Redis", keys: Keys) -> None:
    """Raises ConfigError if the ledger is of another layout than this version's, StoreUnavailable without an answer."""
    with reaching_store():
        found: Any = client.hget(keys.clock, "layout")
    theirs = (found or b"").decode()
    if theirs in ("", str(LAYOUT)):
        return
    newer = not theirs.isdigit() or int(theirs) > LAYOUT
    whose = "a newer" if newer else "an older"
    remedy = "Use the version that wrote it" if newer else "Use the version that wrote it, or follow our release notes"
    raise ConfigError(
        "REDIS_URL",
        f"the ledger there is of {whose} version: its layout is {theirs}, and this version works with {LAYOUT}",
        f"{remedy}; see docs/how-to/upgrade.md",
    )

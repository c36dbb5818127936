"""The ledger's time: Redis's own, but it never goes back. `scripts/clock.lua` says how, and keeps it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import redis

from longshore.ledger.connection import reaching_store
from longshore.ledger.keys import Keys
from longshore.ledger.text import number

if TYPE_CHECKING:
    from redis.client import Pipeline

CATCH_UP = 0.1
"""What share of the time that passes the wall clock catches up, where it has gone back."""

LATEST_MS = 10**13
"""A later time is none: somebody else has written it."""


def now_ms(client: "redis.Redis", keys: Keys) -> int:
    """What it is now, in ms since 1970. Raises StoreUnavailable."""
    with reaching_store(), client.pipeline(transaction=False) as pipe:
        ask(pipe, keys)
        return read(pipe.execute())


def ask(pipe: "Pipeline", keys: Keys) -> None:
    """Puts two commands into `pipe`, whose answers `read` reads."""
    pipe.time()
    pipe.hmget(keys.clock, "last", "lead")


def read(answers: Sequence[Any]) -> int:
    """What it is now, by the two answers to `ask`; in ms since 1970."""
    (seconds, micros), (last, lead) = answers
    wall = int(seconds) * 1000 + int(micros) // 1000
    passed = wall - _time_ms(last, wall)
    ahead = _time_ms(lead, 0) - (passed if passed < 0 else passed * CATCH_UP)
    return wall + max(0, int(ahead))


def _time_ms(text: bytes | None, default: int) -> int:
    ms = number(text, default)
    return ms if 0 <= ms < LATEST_MS else default

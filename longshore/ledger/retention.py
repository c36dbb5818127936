"""How long dead letters and unknown outcomes stay: which of them go soon, and dropping those whose time has come."""

from dataclasses import dataclass
from typing import Any

from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State

DAY_MS = 86_400_000
WARN_EVERY_S = 3600
NEARLY_FULL = 0.9
"""Share of the most that are kept from which on there is a warning."""


@dataclass(frozen=True, slots=True)
class ExpiringSoon:
    """What will be dropped before long, of dead letters or of unknown outcomes."""

    state: str
    kept: int
    by_age: int
    """So many within a day, or within half the time they are kept if that is shorter."""
    beyond: int
    """More than are kept at most: they go now."""
    nearly_full: bool


class Retention:
    """Watches and prunes. Raises `StoreUnavailable` when Redis is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def leaving(self) -> list[ExpiringSoon]:
        """What there is to warn of; once an hour for the whole fleet, else nothing."""
        found = self._look()
        if not found:
            return []
        with reaching_store():
            first = self._ledger.redis.set(self._ledger.keys.warned, b"1", nx=True, ex=WARN_EVERY_S)
        return found if first else []

    def prune(self) -> int:
        """Drops what is too old or too much; returns how many."""
        dropped = 0
        while now := self._ledger.prune():
            dropped += now
        return dropped

    def _look(self) -> list[ExpiringSoon]:
        keys, limits = self._ledger.keys, self._ledger.limits
        soon_ms = self._ledger.clock_ms() - limits.keep_dead + min(DAY_MS, limits.keep_dead // 2)
        sets = {State.DEAD: keys.dead, State.UNKNOWN: keys.unknown}
        with reaching_store():
            pipe = self._ledger.redis.pipeline(transaction=False)
            for key in sets.values():
                pipe.zcard(key)
                pipe.zcount(key, "-inf", soon_ms)
            counts: Any = pipe.execute()
        most = limits.keep_dead_count
        found = [
            ExpiringSoon(state, kept, by_age, max(0, kept - most), kept >= NEARLY_FULL * most)
            for state, kept, by_age in zip(sets, counts[::2], counts[1::2], strict=True)
        ]
        return [one for one in found if one.by_age or one.nearly_full]

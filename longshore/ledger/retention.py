"""Retention of dead letters and unknown outcomes: which ones expire soon, and pruning those that have expired."""

from dataclasses import dataclass
from typing import Any

from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State

DAY_MS = 86_400_000
WARN_EVERY_S = 3600
NEARLY_FULL = 0.9
"""Share of the maximum number from which on there is a warning."""


@dataclass(frozen=True, slots=True)
class ExpiringSoon:
    """Dead letters, or unknown outcomes, that will be pruned soon."""

    state: str
    count: int
    """All there are."""
    by_age: int
    """Of these, how many expire within a day, or within half the retention time if that is shorter."""
    excess: int
    """How many there are beyond the maximum: they go now."""
    nearly_full: bool


class Retention:
    """Watches and prunes. Raises `StoreUnavailable` when Redis is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def expiring_soon(self) -> list[ExpiringSoon]:
        """What there is to warn of; once an hour for the whole fleet, and otherwise nothing."""
        expiring = self._read()
        if not expiring:
            return []
        with reaching_store():
            first = self._ledger.redis.set(self._ledger.keys.expiry_warning, b"1", nx=True, ex=WARN_EVERY_S)
        return expiring if first else []

    def prune(self) -> int:
        """Deletes what is too old or beyond the maximum number; returns how many."""
        total = 0
        while count := self._ledger.prune():
            total += count
        return total

    def _read(self) -> list[ExpiringSoon]:
        keys, limits = self._ledger.keys, self._ledger.limits
        soon_ms = self._ledger.clock_ms() - limits.keep_dead + min(DAY_MS, limits.keep_dead // 2)
        sets = {State.DEAD: keys.dead, State.UNKNOWN: keys.unknown}
        with reaching_store():
            pipe = self._ledger.redis.pipeline(transaction=False)
            for key in sets.values():
                pipe.zcard(key)
                pipe.zcount(key, "-inf", soon_ms)
            counts: Any = pipe.execute()
        maximum = limits.keep_dead_count
        expiring = [
            ExpiringSoon(state, count, by_age, max(0, count - maximum), count >= NEARLY_FULL * maximum)
            for state, count, by_age in zip(sets, counts[::2], counts[1::2], strict=True)
        ]
        return [each for each in expiring if each.by_age or each.nearly_full]

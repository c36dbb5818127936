"""Sweeps out what is kept of targets that are used no longer; `scripts/sweep.lua` says what that is."""

from longshore.ledger.ledger import Ledger

AT_ONCE = 10
"""Calls of one step, each of which holds Redis for less than a millisecond."""


class Sweep:
    """Goes round through all that is kept of targets, a few thousand entries a step. For one thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._cursors = {"gates": 0, "starts": 0}

    def step(self) -> None:
        """Goes on where the step before ended, until its round is complete. Raises StoreUnavailable."""
        for kept in self._cursors:
            for _ in range(AT_ONCE):
                self._cursors[kept] = self._ledger.sweep(kept, self._cursors[kept])
                if not self._cursors[kept]:
                    break

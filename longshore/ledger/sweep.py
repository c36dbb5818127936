"""Deletes what Redis has of targets that are no longer in use; `scripts/sweep.lua` says what that is."""

from longshore.ledger.ledger import Ledger

MAX_CALLS = 10
"""Calls of one step, each of which holds Redis for less than a millisecond."""


class Sweep:
    """Goes through everything there is of targets in rounds, a few thousand entries a step. For one thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._cursors = {"gates": 0, "starts": 0}

    def step(self) -> None:
        """Goes on where the step before ended, until its round is complete. Raises StoreUnavailable."""
        for hash in self._cursors:
            for _ in range(MAX_CALLS):
                self._cursors[hash] = self._ledger.sweep(hash, self._cursors[hash])
                if not self._cursors[hash]:
                    break

"""Claimed runs on their way from the thread that claims to the one that fills the ledger."""

import threading
from collections.abc import Sequence

from ingest.polling.record import ClaimedRun


class RunQueue:
    """Holds what one claim brought, until the ledger has it. Thread safe.

    A crash loses nothing: none of it is acknowledged, so Port gives it out again.
    """

    def __init__(self) -> None:
        self._runs: list[ClaimedRun] = []
        self._unstored = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, runs: Sequence[ClaimedRun]) -> None:
        """Add what was claimed."""
        with self._changed:
            self._runs += runs
            self._unstored += len(runs)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Sequence[ClaimedRun]:
        """All there are, as soon as there are any; none after `timeout_s`, or once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._runs or self._closed, timeout_s)
            runs, self._runs = [] if self._closed else self._runs, []
            return runs

    def note_stored(self, count: int) -> None:
        """The ledger has so many more."""
        with self._changed:
            self._unstored -= count
            self._changed.notify_all()

    def is_stored(self, timeout_s: float) -> bool:
        """Whether the ledger has all of them, now or within `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._unstored <= 0, timeout_s)

    def close(self) -> None:
        """Hand over nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

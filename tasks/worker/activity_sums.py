"""What this process did since its last heartbeat, which takes the sums to the ledger: counting costs no call of Redis.

If the process is killed, they are lost; the ledger's own counts of moves are not (`longshore/ledger/activity.py`).
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from longshore.ledger.activity import latency_field, target_field
from longshore.ledger.states import FINAL_STATES, State

MAX_FIELDS = 500
"""In one heartbeat; what ended at more targets is counted without their names."""


class ActivitySums:
    """Sums of what ended. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: Counter[str] = Counter()

    @property
    def is_empty(self) -> bool:
        """Whether nothing ended since the last heartbeat."""
        return not self._sums

    def count_end(self, target: str, state: str, latency_ms: float | None = None) -> None:
        """An attempt at `target` left its invocation in `state`; `latency_ms` of a first delivery."""
        if state not in FINAL_STATES:
            return
        field = target_field(target, state)
        with self._lock:
            is_counted = field in self._sums or len(self._sums) < MAX_FIELDS
            self._sums[field if is_counted else target_field("", state)] += 1
            if state == State.DONE and latency_ms is not None:
                self._sums[latency_field(max(0.0, latency_ms))] += 1

    @contextmanager
    def handing_over(self) -> Iterator[Counter[str]]:
        """The sums, which begin at 0 again; if the block fails, they stay."""
        with self._lock:
            sums, self._sums = self._sums, Counter()
        try:
            yield sums
        except BaseException:
            with self._lock:
                self._sums.update(sums)
            raise

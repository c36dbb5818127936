"""Has runs that wait long told what is ahead of them: every worker looks now and then, as each look is one script."""

from longshore.periodic import Periodic
from longshore.store.ledger import Ledger

SPAN_S = 5.0
"""Between two looks; the pace of a lane is measured over it."""
SHARE = 0.25
"""Of the budget for calls to Port: the rest is for what has happened."""
UNLIMITED = 100
"""Lines per look where there is no budget."""


class Forecast:
    """Looks every few seconds, in a thread of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        rate = ledger.limits.port_rate
        self._most = max(1, round(SHARE * rate * SPAN_S)) if rate else UNLIMITED
        self._loop = Periodic("forecast", SPAN_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def _step(self) -> float | None:
        self._ledger.foretell(self._most, round(SPAN_S * 1000))
        return None

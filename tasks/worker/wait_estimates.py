"""Tells runs that wait for long what is ahead of them. Every worker does, as each look is one script."""

from longshore.ledger.ledger import Ledger
from longshore.ledger.report_outbox import ReportOutbox
from longshore.periodic import Periodic

INTERVAL_S = 5.0
"""Between two looks; the pace of a lane is measured over it."""

PORT_SHARE = 0.25
"""Of the budget for calls to Port: the rest is for what has happened."""

MAX_LINES = 100
"""Lines per look where there is no budget."""


class WaitEstimates:
    """Reports them every few seconds, in a thread of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self._reports = ReportOutbox(ledger)
        rate = ledger.limits.port_rate
        self._max_lines = max(1, round(PORT_SHARE * rate * INTERVAL_S)) if rate else MAX_LINES
        self._loop = Periodic("wait-estimates", INTERVAL_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def _step(self) -> float | None:
        self._reports.add_waits(self._max_lines, round(INTERVAL_S * 1000))
        return None

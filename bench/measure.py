"""One measured figure: its runs, their median, and what belongs beside it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """`values` has one figure for each run; `note` says under which conditions, and what it is made of."""

    name: str
    values: Sequence[float]
    note: str = ""

    @property
    def median(self) -> float:
        """The figure that is compared with the goal."""
        return statistics.median(self.values)

    def text(self) -> str:
        """Median (least to most)."""
        least, most = min(self.values), max(self.values)
        return number(self.median) if least == most else f"{number(self.median)} ({number(least)} to {number(most)})"


def number(value: float) -> str:
    """Three digits: 1,234 or 12.3 or 0.12."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def percentile(values: Sequence[float], percent: int) -> float:
    """The least of `values` that `percent` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]

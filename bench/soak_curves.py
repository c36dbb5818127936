"""What a soak has sampled, and whether it grows: the least squares' slope of the floor of each curve.

The floor is the lowest value of each of some stretches of time. What is kept for good raises it; what piles up while
the machine is busy for a moment, and is gone afterwards, does not.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

WARM_UP = 1 / 3
"""Share of the time that tells nothing: caches fill, and what is kept for a minute has not begun to expire."""
STRETCHES = 10
"""Of the time that is looked at."""
TOLERANCE = 0.03
"""How much of its average a floor may rise over what is looked at, and still counts as flat."""


@dataclass(frozen=True, slots=True)
class Slope:
    """How the floor of a curve went after the warm-up."""

    mean: float
    per_hour: float
    rise: float
    """By how much the line through it rises over the time that was looked at, as a share of the mean."""

    @property
    def is_growing(self) -> bool:
        """Whether it is not flat."""
        return self.rise > TOLERANCE

    @property
    def verdict(self) -> str:
        """The same in a word."""
        return "grows" if self.is_growing else "flat"

    def as_json(self) -> dict[str, Any]:
        """Its numbers."""
        return asdict(self)


@dataclass
class Curves:
    """Times in seconds since the start, and by name what was found at each of them."""

    times: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, at: float, sample: dict[str, float]) -> None:
        """A sample of everything; what is not among the first one's names is left out."""
        if not self.times:
            self.values = {name: [] for name in sample}
        self.times.append(at)
        for name, values in self.values.items():
            values.append(sample.get(name, 0.0))

    def slopes(self) -> dict[str, Slope]:
        """Of each curve, after the warm-up."""
        first, end = self.times[-1] * WARM_UP, self.times[-1]
        stretches = defaultdict[int, list[int]](list)
        for n, at in enumerate(self.times):
            if at >= first:
                stretches[min(int((at - first) / (end - first) * STRETCHES), STRETCHES - 1)].append(n)
        slopes = {}
        for name, values in self.values.items():
            lowest = [min(each, key=values.__getitem__) for each in stretches.values()]
            slopes[name] = slope([self.times[n] for n in lowest], [values[n] for n in lowest])
        return slopes

    def as_json(self) -> dict[str, list[float]]:
        """All of it."""
        rounded = {name: [round(value, 2) for value in values] for name, values in self.values.items()}
        return {"seconds": [round(at, 1) for at in self.times], **rounded}


def slope(times: list[float], values: list[float]) -> Slope:
    """The line with the least squares through at least two points."""
    mean_time, mean = fmean(times), fmean(values)
    spread = sum((at - mean_time) ** 2 for at in times)
    per_s = sum((at - mean_time) * (value - mean) for at, value in zip(times, values, strict=True)) / spread
    return Slope(mean, per_s * 3600, per_s * (times[-1] - times[0]) / mean if mean else 0.0)

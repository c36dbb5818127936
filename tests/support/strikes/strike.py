"""One fault that strikes a fleet under load, and goes by: the tests of faults and `make chaos` take the same ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.support.scene import Scene


class Cost(Enum):
    """What is promised besides that nothing is lost."""

    TIME = "nothing is unknown or repeated"
    OUTCOMES = "what was under way may be unknown; change log events may come twice"


@dataclass(frozen=True, slots=True)
class Strike:
    """Once `run` returns, what it broke is whole again; what the agent does about it begins then."""

    name: str
    follows: str
    """What happens then, for the page."""
    run: Callable[[Scene], None]
    cost: Cost = Cost.TIME
    environ: Mapping[str, str] = field(default_factory=dict)
    """Settings that the fleet needs for it."""
    polls: bool = False
    """Whether it is also tried where runs are polled."""
    of_kafka: bool = False
    """Whether it means nothing there."""
    lasts: bool = False
    """Whether some of it stays when it is over."""
    lacks: Callable[[], str] = str
    """Why it cannot be had on this machine; empty if it can."""

    @property
    def expected(self) -> str:
        """For the page."""
        return f"{self.follows}; {self.cost.value}"

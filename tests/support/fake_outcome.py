"""Outcomes as plain facts, for the tests of what Port hears."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class FakeResponse:
    """A target's response."""

    text: str
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class FakeOutcome:
    """What a report is made from: a status with its response, or a cause."""

    status: int | None = None
    cause: str = ""
    response: FakeResponse | None = None
    redirected: str = ""
    objection: str = ""

    @classmethod
    def of(cls, status: int, text: str = "") -> Self:
        """A target that answered."""
        return cls(status, f"HTTP {status}", FakeResponse(text))

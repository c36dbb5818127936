"""What one fault has cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    fault: str
    published: int
    delivered: int
    dead: int
    unknown: int
    lost: int
    repeated: int
    unsent: int
    """Attempts that began and were never sent."""
    recovery_s: float

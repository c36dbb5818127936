"""A target's or lane's breaker as the ledger keeps it. Only scripts change it (`scripts/limits_and_breaker.lua`).

The one place in Python that knows its text, as `breaker_of` is the one in Lua.
"""

from dataclasses import dataclass
from enum import StrEnum


class BreakerStatus(StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    """Everything."""

    FAILING = "failing"
    """Everything; it counts faults in a row."""

    OPEN = "open"
    """Nothing, until its time is over."""

    HALF_OPEN = "half open"
    """One, the probe."""

    RAMPING = "ramping"
    """A few at once, twice as many after each success."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """One breaker. Times in ms since 1970."""

    failures: int = 0
    """Faults in a row."""
    until_ms: int = 0
    """Until when it is open; 0 while it is closed."""
    room: int = 0
    """How many may be in flight while it ramps up."""
    probing: bool = False
    """Whether its probe is under way."""

    @classmethod
    def parse(cls, text: bytes | None) -> "Breaker":
        """The breaker that is stored as `text`; a closed one for None, and for what is none."""
        if not text:
            return cls()
        try:
            failures, until, _, room, probe = text.split(b"|", 4)
            return cls(int(failures), int(until), int(room), probe != b"")
        except ValueError:
            return cls()

    @property
    def is_closed(self) -> bool:
        """Whether it holds nothing back."""
        return self.until_ms == 0

    def status(self, now_ms: int) -> BreakerStatus:
        """What it lets through now."""
        if self.is_closed:
            return BreakerStatus.FAILING if self.failures else BreakerStatus.CLOSED
        if self.until_ms > now_ms:
            return BreakerStatus.OPEN
        return BreakerStatus.RAMPING if self.room else BreakerStatus.HALF_OPEN

    def room_beside(self, busy: int, now_ms: int) -> int | None:
        """How many more may start beside `busy` in flight; None: no limit."""
        if self.is_closed:
            return None
        if self.until_ms > now_ms:
            return 0
        if self.room > 0:
            return max(0, self.room - busy)
        return 0 if self.probing else 1

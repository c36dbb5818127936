"""What one destination has been told, and when it may be told more. Stands in Redis, for whichever process is next."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Self

RETRY_S = 15.0
"""Before the first repetition of a message that was not taken; doubled each time, up to NOTIFY_INTERVAL_S."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one destination. Times in ms since 1970, by Redis's clock."""

    told_ms: int
    """What failed up to here was told."""
    next_ms: int = 0
    """No message before."""
    open: tuple[str, ...] = ()
    """What it was told and not yet told the end of."""
    failures: int = 0
    """Messages in a row that it did not take, or of which nobody knows."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What `dump` wrote, in this version or another; None for anything else."""
        try:
            values = json.loads(text)
            open = tuple(str(name) for name in values.get("open", ()))
            return cls(int(values["told_ms"]), int(values["next_ms"]), open, int(values["failures"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def dump(self) -> str:
        """For a note."""
        return json.dumps(asdict(self))

    def before_sending(self, now_ms: int, interval_s: float) -> Self:
        """Noted before a message is sent: if nothing else is noted, it did not arrive, and is due again some time."""
        pause_s = min(RETRY_S * 2 ** min(self.failures, 20), interval_s)
        return replace(self, failures=self.failures + 1, next_ms=now_ms + round(pause_s * 1000))

    def after_sending(self, until_ms: int, now_ms: int, open: Collection[str], interval_s: float) -> Self:
        """Noted after it was sent."""
        return replace(
            self, told_ms=until_ms, next_ms=now_ms + round(interval_s * 1000), open=tuple(sorted(open)), failures=0
        )

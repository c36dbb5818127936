"""Foreign texts made fit for a page: nothing in them may act, reorder what stands around them, or fill the screen.

Templates escape HTML by themselves; here is what escaping leaves.
"""

import time
from datetime import UTC, datetime

from longshore.printable import printable

LONGEST = 20_000
"""Characters of one text on a page; the API and the export give what is kept."""

_WANTED = "\n\t\u200d\ufe0f"  # the last two join emoji


def text(value: object, longest: int = LONGEST) -> str:
    """`value` as text in which the invisible is spelled out (U+202E would turn its line round), cut to `longest`."""
    whole = "" if value is None else str(value)
    shown = printable(whole[:longest].replace("\r\n", "\n"), _WANTED)
    return shown if len(whole) <= longest else f"{shown} … ({len(whole) - longest:,} more characters)"


def line(value: object, longest: int = 300) -> str:
    """`value` as one line."""
    return text(value, longest).replace("\n", " ").replace("\t", " ")


def moment(ms: float) -> str:
    """A time in ms since 1970, in UTC to the second; empty for 0."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if ms else ""


def iso(ms: float) -> str | None:
    """A time in ms since 1970 as ISO 8601, None for 0."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") if ms else None


def span(ms: float) -> str:
    """A duration as people say it."""
    seconds = max(0.0, ms / 1000)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(ms: float) -> str:
    """How long ago a time in ms since 1970 was; empty for 0."""
    return f"{span(time.time() * 1000 - ms)} ago" if ms else ""


def words(name: str) -> str:
    """A code as people read it: `action_run` → `action run`."""
    return name.replace("_", " ")

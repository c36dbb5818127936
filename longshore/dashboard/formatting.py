"""Formats values for pages. Texts from outside cannot reorder the text around them, hide characters or fill the screen.

Templates escape HTML by themselves; this is what escaping does not cover.
"""

import math
import time
from datetime import UTC, datetime

from longshore.printable import printable

MAX_CHARS = 20_000
"""Most characters of one text on a page; the API and the export give all of it."""

_ALLOWED_INVISIBLE = "\n\t\u200d\ufe0f"  # the last two join emoji


def format_text(value: object, max_chars: int = MAX_CHARS) -> str:
    """`value` as text, cut to `max_chars`, with invisible characters escaped: U+202E would reverse a line."""
    full_text = "" if value is None else str(value)
    cut_text = printable(full_text[:max_chars].replace("\r\n", "\n"), _ALLOWED_INVISIBLE)
    return cut_text if len(full_text) <= max_chars else f"{cut_text} … ({len(full_text) - max_chars:,} more characters)"


def format_line(value: object, max_chars: int = 300) -> str:
    """`value` as one line."""
    return format_text(value, max_chars).replace("\n", " ").replace("\t", " ")


def format_utc(ms: float) -> str:
    """A time in ms since 1970, in UTC to the second; empty for 0."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if ms else ""


def format_iso(ms: float) -> str | None:
    """A time in ms since 1970 as ISO 8601, None for 0."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") if ms else None


def format_span(ms: float) -> str:
    """A duration in its largest fitting unit, such as `3 h`."""
    seconds = max(0.0, ms / 1000)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def format_latency(ms: float | None) -> str:
    """A duration with two digits or so, such as `1.2 s`; a dash for None."""
    if ms is None:
        return "–"
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.1f} s" if ms < 10_000 else format_span(ms)


def format_share(share: float | None) -> str:
    """A share in percent, rounded down, so that 100 % leaves nothing out; a dash for None."""
    if share is None:
        return "–"
    return f"{math.floor(share * 1000) / 10:g} %"


def format_ago(ms: float) -> str:
    """How long ago a time in ms since 1970 was; empty for 0."""
    return f"{format_span(time.time() * 1000 - ms)} ago" if ms else ""


def format_code(name: str) -> str:
    """A code without underscores: `action_run` → `action run`."""
    return name.replace("_", " ")


FORMATTERS = {
    function.__name__: function
    for function in (
        format_text,
        format_line,
        format_utc,
        format_iso,
        format_span,
        format_latency,
        format_share,
        format_ago,
        format_code,
    )
}
"""The functions that templates call, by name."""

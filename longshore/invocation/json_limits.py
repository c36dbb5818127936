"""Limits of JSON text: how deeply it is nested, and how many values it has, without parsing it.

Recursive code may walk a value that is not deep, and a text with few values is cheap to parse.
"""

from typing import Any

MAX_DEPTH = 512
"""Deepest nesting that is read. Python's own limit depends on version and caller; this one is always the same."""


def is_deep(value: Any, text: str, max_depth: int = MAX_DEPTH) -> bool:
    """Whether `value`, which was read from `text`, is nested deeper than `max_depth`."""
    return text.count("{") + text.count("[") > max_depth and _deeper_than(max_depth, value)


def has_more_values_than(limit: int, raw: bytes) -> bool:
    """Whether this JSON text has more than `limit` values; costs far less than parsing it.

    Keys do not count, empty lists and objects count twice. Of a text that is no JSON, counts at least what stands
    before its fault: so it bounds the cost of parsing in any case.
    """
    if len(raw) <= limit:
        return False
    quotes = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    if quotes.count(b'"') > 4 * limit:  # two for a value, two for its key
        return True
    outside = b"".join(quotes.split(b'"')[::2])
    return sum(map(outside.count, (b",", b"[", b"{"))) >= limit


def _deeper_than(limit: int, value: Any) -> bool:
    # Level by level and not by recursion: what is to be found out is whether recursion would be safe.
    level = _containers_in([value])
    for _ in range(limit):
        level = [child for parent in level for child in _containers_in(parent)]
        if not level:
            return False
    return True


def _containers_in(parent: Any) -> list[Any]:
    members = parent.values() if isinstance(parent, dict) else parent
    return [member for member in members if isinstance(member, dict | list)]

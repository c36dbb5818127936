"""Celery's events as Flower's pages can show them: every field a number or a text.

Flower's tables escape texts alone. A list or an object, which anybody who can write to Redis can send, would stand in
the page as it is; a NaN would make the whole table unreadable to the browser.
"""

import json
from typing import Any

_NUMBERS = frozenset(
    {
        "sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected", "timestamp",
        "local_received", "runtime", "retries", "clock", "utcoffset", "pid", "freq", "active", "processed", "signum",
    }
)  # fmt: skip
"""Fields of tasks and workers that Flower calculates with."""

_MAX_NUMBER = 1e12
"""Of a number, e.g. seconds since 1970; beyond it no calendar goes."""

_NAMES = ("type", "uuid", "hostname")
"""Fields that Flower sorts events by; they are there, and are texts."""


def normalize_event(event: dict[str, Any]) -> dict[str, Any]:
    """`event` with numbers where numbers belong, and texts or None elsewhere."""
    values = {str(name): _number(value) if name in _NUMBERS else _text(name, value) for name, value in event.items()}
    return values | {name: values.get(name) or "" for name in _NAMES if name in values}


def _number(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and -_MAX_NUMBER < value < _MAX_NUMBER else None


def _text(name: str, value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if name == "loadavg" and isinstance(value, list | tuple):
        return [_number(item) for item in value[:3]]
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return f"({type(value).__name__})"

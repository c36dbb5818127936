"""Reads a section `order`: which invocations are delivered one after the other.

A jq expression that gives their key, or {"key": ".payload.context.entity", "behind_dead": "hold"}.
"""

from dataclasses import dataclass
from typing import Any, Literal

from longshore.invocation.section_values import InvalidValue, read_choice, read_object, read_text


@dataclass(frozen=True, slots=True)
class OrderOptions:
    """By what invocations are ordered."""

    key: str
    """A jq expression over the message."""
    behind_dead: Literal["go_on", "hold"] = "go_on"
    """Whether the others of the key wait behind a dead letter or an unknown outcome until an operator has decided."""


def read_order(value: Any) -> OrderOptions:
    """The section `value`. Raises InvalidValue with all that is wrong."""
    members = read_object(value, _READERS) if isinstance(value, dict) else {"key": _read_key(value)}
    if "key" not in members:
        raise InvalidValue("has no key: give the jq expression that all of one order have in common")
    return OrderOptions(**members)


def _read_key(value: Any) -> str:
    source = read_text(value)
    if not source.strip():
        raise InvalidValue("is empty; give a jq expression, e.g. .payload.context.entity")
    return source


_READERS = {"key": _read_key, "behind_dead": lambda value: read_choice(value, ("go_on", "hold"))}

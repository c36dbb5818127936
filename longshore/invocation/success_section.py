"""Reads a section `success`: which answers of a target count as a success.

{"statuses": ["2xx", 409], "json": true, "condition": ".body.ok", "otherwise": "retry"}
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from longshore.invocation.section_values import (
    InvalidValue,
    read_boolean,
    read_choice,
    read_object,
    read_text,
    type_name,
)

_CLASS = re.compile("([234])xx")


@dataclass(frozen=True, slots=True)
class SuccessOptions:
    """The rules of one mapping; all that are set must hold."""

    statuses: frozenset[int] | None = None
    """Statuses that may be a success; None: those below 400."""
    json: bool = False
    """Whether the answer's body must be JSON."""
    condition: str = ""
    """A jq expression over the answer that must give true."""
    otherwise: str = "dead"
    """What follows an answer below 400 that is no success: `dead` or `retry`."""


def read_success(value: Any) -> SuccessOptions:
    """The section `value`. Raises InvalidValue with all that is wrong."""
    options = SuccessOptions(**read_object(value, _READERS))
    if options.statuses is None and not options.json and not options.condition:
        raise InvalidValue("rules nothing: give statuses, json or condition")
    return options


def _read_statuses(value: Any) -> frozenset[int]:
    if not isinstance(value, list) or not value:
        what = "is empty" if value == [] else f"is {type_name(value)}, not a list"
        raise InvalidValue(f'{what}: give numbers and classes, such as ["2xx", 409]')
    return frozenset(status for item in value for status in _read_status(item))


def _read_status(value: Any) -> range:
    if isinstance(value, str) and (match := _CLASS.fullmatch(value.lower())) is not None:
        first = int(match[1]) * 100
        return range(first, first + 100)
    if isinstance(value, int) and not isinstance(value, bool) and 200 <= value < 500:
        return range(value, value + 1)
    raise InvalidValue(f'has {str(value)[:20]!r}: give numbers from 200 to 499, or "2xx", "3xx", "4xx"')


def _read_condition(value: Any) -> str:
    if not (condition := read_text(value)).strip():
        raise InvalidValue("is empty: give a jq expression, such as .body.ok")
    return condition


def _read_otherwise(value: Any) -> str:
    return read_choice(value, ("dead", "retry"))


_READERS: dict[str, Callable[[Any], Any]] = {
    "statuses": _read_statuses,
    "json": read_boolean,
    "condition": _read_condition,
    "otherwise": _read_otherwise,
}

"""Pydantic's errors, in the words of a person who sets environment variables."""

from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from config.validators import INVALID
from longshore.errors import ConfigError

MAX_QUOTED = 60
"""Characters of a wrong value that are quoted: enough to recognise it."""

_MESSAGES = {
    "bool_parsing": ("is not a boolean", "Give true or false"),
    "int_parsing": ("is not a whole number", "Give a whole number"),
    "int_from_float": ("is not a whole number", "Give a whole number"),
    "int_parsing_size": ("is too large", "Give a smaller number"),
    "float_parsing": ("is not a number", "Give a number without a unit, e.g. 30"),
    "finite_number": ("is not a finite number", "Give a number without a unit, e.g. 30"),
}

_LIMITS = {
    "greater_than": ("gt", "is too small", "Give more than {}"),
    "greater_than_equal": ("ge", "is too small", "Give {} or more"),
    "less_than": ("lt", "is too large", "Give less than {}"),
    "less_than_equal": ("le", "is too large", "Give {} or less"),
}


def describe_errors(error: ValidationError, *, secret: Collection[str]) -> list[ConfigError]:
    """One problem for each variable; the values of the fields in `secret` are not quoted."""
    problems: dict[str, ConfigError] = {}
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0])
        problem, remedy = _describe(detail["type"], detail.get("ctx", {}), detail["msg"])
        value = "the value" if name in secret else _quoted(detail["input"])
        problems.setdefault(name, ConfigError(name.upper(), f"{value} {problem}", remedy))
    return list(problems.values())


def _describe(kind: str, context: dict[str, Any], message: str) -> tuple[str, str]:
    if kind == INVALID:
        return context["problem"], context["remedy"]
    if kind == "literal_error":
        return "is none of the known values", f"Give {context['expected']}"
    if kind in _LIMITS:
        limit, problem, remedy = _LIMITS[kind]
        return problem, remedy.format(context[limit])
    return _MESSAGES.get(kind, ("is unusable", message))


def _quoted(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if len(text) <= MAX_QUOTED else f'"{text[:MAX_QUOTED]}…"'

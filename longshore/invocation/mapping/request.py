"""Turns what mapping expressions gave into the parts of a request (wire contract, mapping results).

Where Port's own agent raised and lost the delivery, these give a defined result or name the fault.
"""

from typing import Any
from urllib.parse import parse_qsl

from longshore.invocation import json_text
from longshore.invocation.mapping.results import MappingFault
from longshore.invocation.section_values import type_name


def method(value: Any, place: str) -> str:
    """The HTTP verb in upper case; POST where there is none."""
    if value is None or value == "":
        return "POST"
    if not isinstance(value, str):
        raise MappingFault(place, f"gives {type_name(value)}, not a text")
    return value.upper()


def url(value: Any, place: str) -> str | None:
    """The url; None where there is none."""
    if value is not None and not isinstance(value, str):
        raise MappingFault(place, f"gives {type_name(value)}, not a text")
    return value or None


def headers(value: Any, place: str) -> dict[str, str]:
    """Header names and values; null values are left out, and what is no text is sent as JSON text."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MappingFault(place, f"gives {type_name(value)}, not an object")
    return {
        name: item if isinstance(item, str) else json_text.dumps(item, ascii=True)
        for name, item in value.items()
        if item is not None
    }


def query(value: Any, place: str) -> list[tuple[str, str]]:
    """Query parameters as `requests` makes them: `True` for true, null left out, a list repeats its key.

    A whole text is taken as a query string.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return parse_qsl(value, keep_blank_values=True)
    if not isinstance(value, dict):
        raise MappingFault(place, f"gives {type_name(value)}, not an object")
    return [
        (name, _format_scalar(item))
        for name, items in value.items()
        for item in (items if isinstance(items, list | dict) else [items])
        if item is not None
    ]


def _format_scalar(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, bool) else json_text.dumps(value, ascii=True)

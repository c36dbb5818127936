"""The body of a run's status PATCH: defaults, overridden key by key by what the mapping's report section gave."""

from collections.abc import Mapping
from typing import Any

from longshore.invocation import json_text
from longshore.port.size_limits import MAX_TEXT_BYTES, json_size, truncate

TERMINAL = frozenset({"SUCCESS", "FAILURE"})
"""The statuses after which Port takes no more changes."""

KEYS = ("status", "link", "summary", "externalRunId")
"""What may be patched, in the order it is written."""

_MAX_LINK_BYTES = 100_000


def merge_status(defaults: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the PATCH, empty when there is nothing to say.

    A key of `report` wins even with null, which removes a default; null values are left out (wire contract, report).
    """
    merged = {**defaults, **report}
    values = ((key, _coerce(key, merged.get(key))) for key in KEYS)
    return {key: value for key, value in values if value is not None}


def _coerce(key: str, value: Any) -> Any:
    """`value` in the type and size Port takes: numbers and booleans as text, only `link` may be a list."""
    if value is None:
        return None
    if isinstance(value, list) and key == "link":
        links = [_to_text(item) for item in value if item is not None]
        return links if json_size(links) <= _MAX_LINK_BYTES else None
    # Port would refuse the whole PATCH, and with it the status, for the sake of one value of the wrong type.
    return truncate(_to_text(value), MAX_TEXT_BYTES)


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json_text.dumps(value, ascii=False)

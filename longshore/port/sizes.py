"""How long what we tell Port may be. Port answers a body over 1 MiB with 413, which would cost the whole report."""

import json
from typing import Any

BODY_MAX = 900_000
"""Most bytes of JSON in one call: under Port's 1 MiB, with room for what proxies add."""

TEXT_MAX = 10_000
"""Most bytes of JSON of one log text or summary. People read these; the response has its own place."""

QUOTE_MAX = 4_000
"""Most bytes of JSON of a target's response quoted inside a log text or summary."""

CUT = " … (cut)"
"""What stands at the end of a text that was longer."""


def json_size(value: Any) -> int:
    """The bytes `value` takes in a call, whose JSON is compact and escaped to ASCII."""
    return len(json.dumps(value, separators=(",", ":")))


def fit(text: str, limit: int) -> str:
    """`text`, cut so that its JSON takes at most `limit` bytes, and marked if it was cut.

    Escapes make JSON up to twelve times longer than the text, so that counting characters is not enough.
    """
    if len(text) * 12 + 2 <= limit or json_size(text) <= limit:
        return text
    kept = text[:limit]
    while kept and (size := json_size(kept + CUT)) > limit:
        kept = kept[: min(len(kept) - 1, len(kept) * limit // size)]
    return kept + CUT


def fit_response(value: Any, limit: int = BODY_MAX) -> Any:
    """A response as Port can take it: as it is, or the beginning of its JSON text when it is too large."""
    if isinstance(value, str):
        return fit(value, limit)
    if json_size(value) <= limit:
        return value
    return fit(json.dumps(value, separators=(",", ":"), ensure_ascii=False), limit)

"""How long what we tell Port may be. Port answers a body over 1 MiB with 413, which would cost the whole report."""

from typing import Any

from longshore.invocation import json_text

BODY_MAX = 1_048_576
"""Most bytes of JSON in one call, which is all that Port takes."""

RESPONSE_MAX = BODY_MAX - 1_000
"""Most bytes of JSON of a response: with room for what is around it in its call."""

LOGS_MAX = 900_000
"""Most bytes of JSON of all lines of one call, each counted by itself."""

TEXT_MAX = 10_000
"""Most bytes of JSON of one log text or summary. People read these; the response has its own place."""

QUOTE_MAX = 4_000
"""Most bytes of JSON of a target's response quoted inside a log text or summary."""

CUT = " … (cut)"
"""What stands at the end of a text that was longer."""


def json_size(value: Any) -> int:
    """The bytes `value` takes in a call."""
    return len(as_json(value))


def as_json(value: Any) -> bytes:
    """`value` as it is sent: compact JSON in UTF-8, escaped only where it must be, as Port counts bytes."""
    return json_text.dumps(value, ascii=False).encode()


def fit(text: str, limit: int) -> str:
    """`text`, cut so that its JSON takes at most `limit` bytes, and marked if it was cut.

    Escapes make JSON up to six times longer than the text, so that counting characters is not enough.
    """
    if len(text) * 6 + 2 <= limit or json_size(text) <= limit:
        return text
    kept = text[:limit]
    while kept and (size := json_size(kept + CUT)) > limit:
        kept = kept[: min(len(kept) - 1, len(kept) * limit // size)]
    return kept + CUT


def fit_response(value: Any, limit: int = RESPONSE_MAX) -> Any:
    """A response as Port can take it: itself, or the beginning of its JSON text when it is too large."""
    if isinstance(value, str):
        return fit(value, limit)
    text = json_text.dumps(value, ascii=False)
    return value if len(text.encode()) <= limit else fit(text, limit)

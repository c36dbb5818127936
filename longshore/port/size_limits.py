"""How long what goes to Port may be. Port answers a body over 1 MiB with 413, which would cost the whole report."""

from typing import Any

from longshore.invocation import json_text

MAX_BODY_BYTES = 1_048_576
"""Most bytes of JSON in one call, which is all that Port takes."""

MAX_RESPONSE_BYTES = MAX_BODY_BYTES - 1_000
"""Most bytes of JSON of a response: with room for what is around it in its call."""

MAX_LOGS_BYTES = 900_000
"""Most bytes of JSON of all lines of one call, each counted by itself."""

MAX_TEXT_BYTES = 10_000
"""Most bytes of JSON of one log text or summary. People read these; the response has its own place."""

MAX_QUOTE_BYTES = 4_000
"""Most bytes of JSON of a target's response quoted inside a log text or summary."""

CUT_MARK = " … (cut)"
"""What stands at the end of a text that was longer."""


def json_size(value: Any) -> int:
    """The bytes `value` takes in a call."""
    return len(encode_json(value))


def encode_json(value: Any) -> bytes:
    """`value` as it is sent: compact JSON in UTF-8, escaped only where it must be, as Port counts bytes."""
    return json_text.dumps(value, ascii=False).encode()


def truncate(text: str, max_bytes: int) -> str:
    """`text`, cut so that its JSON takes at most `max_bytes` bytes, and marked if it was cut.

    Escapes make JSON up to six times longer than the text, so that counting characters is not enough.
    """
    if len(text) * 6 + 2 <= max_bytes or json_size(text) <= max_bytes:
        return text
    prefix = text[:max_bytes]
    while prefix and (size := json_size(prefix + CUT_MARK)) > max_bytes:
        prefix = prefix[: min(len(prefix) - 1, len(prefix) * max_bytes // size)]
    return prefix + CUT_MARK


def truncate_response(value: Any, max_bytes: int = MAX_RESPONSE_BYTES) -> Any:
    """A response as Port can take it: itself, or the beginning of its JSON text when it is too large."""
    if isinstance(value, str):
        return truncate(value, max_bytes)
    text = json_text.dumps(value, ascii=False)
    return value if len(text.encode()) <= max_bytes else truncate(text, max_bytes)

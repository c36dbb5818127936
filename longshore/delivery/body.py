"""Reading a response's body: bounded, unpacked, as text.

Nothing here fails: once a status is known the target has answered, and a body that ends early, is too long or does not
unpack changes nothing about that. It is then marked as truncated.
"""

from requests.utils import guess_json_utf

from longshore.delivery.charset import detect_bom, parse_charset
from longshore.network.answer import BoundedResponse, wrap

CHUNK_BYTES = 65_536
"""Bytes asked for at once. Also what bounds a compression bomb: never more than this is unpacked before counting."""


def read_body(response: BoundedResponse, max_bytes: int) -> tuple[bytes, bool]:
    """The unpacked body of `response` up to `max_bytes` bytes, and whether that is less than the whole."""
    parts: list[bytes] = []
    remaining = max_bytes
    try:
        reader = wrap(response) if "content-encoding" in response.fields else response
        # One byte more than is kept tells a body of just this length from a longer one. `read1` returns what is there,
        # so that a body which never ends is kept up to where it was cut.
        while chunk := reader.read1(min(CHUNK_BYTES, remaining + 1)):
            parts.append(chunk[:remaining])
            remaining -= len(chunk)
            if remaining < 0:
                break
    except Exception:  # of the connection, or of whatever unpacks what the target claims to have packed
        remaining = -1
    return b"".join(parts), remaining < 0


def decode_body(body: bytes, content_type: str) -> str:
    """`body` in the charset of its byte order mark, otherwise of `content_type`; without the mark.

    Without either it is UTF-8, and Latin-1 for what is not that; JSON in UTF-16 and UTF-32 is recognised as `requests`
    does it. Never fails: what does not fit is replaced.
    """
    codec = detect_bom(body) or parse_charset(content_type)
    if codec is not None:
        return body.decode(codec, "replace")
    guess: str = guess_json_utf(body[:64]) or "utf-8"  # type: ignore[no-untyped-call]
    try:
        return body.decode(guess)
    except UnicodeDecodeError as error:
        # A body cut in the middle of a character is still UTF-8.
        return body.decode("utf-8", "replace") if error.start >= len(body) - 3 else body.decode("latin-1")

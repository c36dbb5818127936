"""Reading a response's body: bounded, unpacked, as text.

Nothing here fails: once a status is known the target has answered, and a body that ends early, is too long or does not
unpack changes nothing about that. It is then marked as truncated.
"""

from email.message import Message

from requests.utils import guess_json_utf
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

CHUNK = 65_536
"""Bytes asked for at once. Also what bounds a compression bomb: never more than this is unpacked before counting."""


def read_body(raw: BaseHTTPResponse, cap: int) -> tuple[bytes, bool]:
    """The unpacked body of `raw` up to `cap` bytes, and whether that is less than the whole.

    Gives the connection back to its pool, or closes it when something is left on it.
    """
    parts: list[bytes] = []
    room = cap
    truncated = False
    try:
        # One byte more than is kept tells a body of just this length from a longer one. `read1` returns what is there,
        # so that a body which never ends is kept up to where it was cut.
        while chunk := raw.read1(min(CHUNK, room + 1), decode_content=True):
            parts.append(chunk[:room])
            room -= len(chunk)
            if room < 0:
                truncated = True
                break
    except (HTTPError, OSError, ValueError):
        truncated = True
    if truncated:
        raw.close()
    raw.release_conn()
    return b"".join(parts), truncated


def as_text(body: bytes, content_type: str) -> str:
    """`body` in the charset that `content_type` declares; without one UTF-8, and Latin-1 for what is not that.

    JSON in UTF-16 and UTF-32 is recognised as `requests` does it. Never fails: what does not fit is replaced.
    """
    if not body:
        return ""
    charset = _charset(content_type)
    if charset is not None:
        try:
            return body.decode(charset, "replace")
        except (LookupError, ValueError):
            pass  # a charset that nobody knows
    guessed: str = guess_json_utf(body[:64]) or "utf-8"  # type: ignore[no-untyped-call]
    try:
        return body.decode(guessed)
    except UnicodeDecodeError as error:
        # A body cut in the middle of a character is still UTF-8.
        return body.decode("utf-8", "replace") if error.start >= len(body) - 3 else body.decode("latin-1")


def _charset(content_type: str) -> str | None:
    if "charset" not in content_type.lower():
        return None
    message = Message()
    message["Content-Type"] = content_type
    found = message.get_param("charset")
    return found.strip("'\" ") if isinstance(found, str) else None

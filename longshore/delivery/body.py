"""Reading a response's body: bounded, unpacked, as text.

Nothing here fails: once a status is known the target has answered, and a body that ends early, is too long or does not
unpack changes nothing about that. It is then marked as truncated.
"""

from requests.utils import guess_json_utf
from urllib3.response import BaseHTTPResponse

from longshore.delivery.charset import declared, marked

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
    except Exception:  # of the connection, or of whatever unpacks what the target claims to have packed
        truncated = True
    if truncated:
        raw.close()
    raw.release_conn()
    return b"".join(parts), truncated


def decode_body(body: bytes, content_type: str) -> str:
    """`body` in the charset that its byte order mark or else `content_type` names, without the mark.

    Without either it is UTF-8, and Latin-1 for what is not that; JSON in UTF-16 and UTF-32 is recognised as `requests`
    does it. Never fails: what does not fit is replaced.
    """
    codec = marked(body) or declared(content_type)
    if codec is not None:
        return body.decode(codec, "replace")
    guessed: str = guess_json_utf(body[:64]) or "utf-8"  # type: ignore[no-untyped-call]
    try:
        return body.decode(guessed)
    except UnicodeDecodeError as error:
        # A body cut in the middle of a character is still UTF-8.
        return body.decode("utf-8", "replace") if error.start >= len(body) - 3 else body.decode("latin-1")

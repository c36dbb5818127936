"""Fingerprints in place of values, so that two files can be compared and neither holds a secret.

A fingerprint is keyed with the client secret, which both agents have: the same value has the same fingerprint in both
files, and without that secret nobody can try values out. All values are replaced, not only those known as secret: of a
request that the original agent has sent, nobody can tell which part was an encrypted input.
"""

import hmac
from collections.abc import Mapping
from typing import Any

from longshore.invocation import json_text
from longshore.invocation.mask_spans import MASK
from longshore.invocation.urls import split_url

_CHARS = 16
"""Hexadecimal digits of a fingerprint: 64 bits, so that no two values of one file share one by accident."""

TEXT, NUMBER = "~", "#"
"""The first character of a fingerprint: of a text, or of a number."""
MASKED = "*"
"""The last one where the value was masked in part before it got here: it never equals the other side's."""


class Fingerprints:
    """Makes fingerprints with a client secret. Thread safe."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"longshore shadow fingerprints v1", "sha256")

    def data(self, data: bytes) -> str:
        """The fingerprint of bytes; of none, nothing."""
        return TEXT + hmac.digest(self._key, data, "sha256").hex()[:_CHARS] if data else ""

    def text(self, text: str) -> str:
        """The fingerprint of a text; an empty one stays empty."""
        return self.data(text.encode("utf-8", "surrogatepass")) + (MASKED if MASK in text else "")

    def value(self, value: Any) -> Any:
        """A JSON value with fingerprints for its texts and numbers; keys, true, false, null and what is empty stay."""
        if isinstance(value, dict):
            return {name: self.value(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float | json_text.Literal) and not isinstance(value, bool):
            return NUMBER + self.text(str(value))[1:]
        return value

    def url(self, url: str) -> str:
        """A URL without its fragment, with fingerprints for the segments of its path and the values of its query."""
        parts = split_url(url)
        before_query = url.partition("#")[0].partition("?")[0]
        path = before_query.partition("://")[2].partition("/")[2]
        login = f"{self.text(parts.login)}@" if parts.login else ""
        segments = "/".join(map(self.text, path.split("/")))
        query = "&".join(map(self._parameter, parts.query.split("&"))) if parts.query else ""
        return f"{parts.scheme.lower()}://{login}{parts.place.lower()}/{segments}" + (f"?{query}" if query else "")

    def body(self, body: bytes | None) -> dict[str, Any] | None:
        """A body: its size, the fingerprint of its `bytes`, and of JSON also that of its `compact` text, and its keys.

        `compact` is the same for all spellings of one JSON text that keep its keys in order.
        """
        if not body:
            return None
        line: dict[str, Any] = {"size": len(body), "bytes": self.data(body)}
        try:
            value = json_text.loads(body)
            compact = json_text.dumps(value, ascii=True)
        except (json_text.Malformed, RecursionError):
            return line
        return {**line, "compact": self.text(compact), "json": self.value(value)}

    def headers(self, headers: Mapping[str, str | bytes]) -> dict[str, str]:
        """Names in lower case, and fingerprints of the values as they go over the wire."""
        return {name.lower(): self.data(as_wire(value)) for name, value in headers.items()}

    def _parameter(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        return f"{name}{equals}{self.text(value)}"


def as_wire(value: str | bytes) -> bytes:
    """A header's value as it is sent: Latin-1, unless it is bytes already."""
    return value if isinstance(value, bytes) else value.encode("latin-1", "replace")

"""The signature on what leaves for a target.

Wire contract, outgoing signature rule: `v1,` and the base64 of HMAC-SHA256, keyed with the client secret, over
`<timestamp>.<body>`, where the body is the compact, ASCII-escaped JSON text exactly as it is sent, and `null` when
nothing is sent. Both headers are created for every attempt, because receivers refuse old timestamps.
"""

import hmac
from base64 import b64encode

TIMESTAMP = "X-Port-Timestamp"
"""Header: when the attempt was signed, whole seconds since 1970 in UTC, as decimal text."""

SIGNATURE = "X-Port-Signature"
"""Header: `v1,` and the base64 of the signature."""


def build_signature_headers(secret: str, body: str | bytes | None, now: float) -> dict[str, str]:
    """The two headers that let a target check who sent `body`, and when.

    `secret` is Port's client secret, `body` exactly what goes over the wire (None: no body), `now` in seconds since
    1970. Raises nothing but UnicodeEncodeError, for a text that no body can be made of.
    """
    content = b"null" if body is None else body.encode() if isinstance(body, str) else body
    timestamp = str(int(now))
    digest = hmac.digest(secret.encode(), timestamp.encode() + b"." + content, "sha256")
    return {TIMESTAMP: timestamp, SIGNATURE: "v1," + b64encode(digest).decode("ascii")}

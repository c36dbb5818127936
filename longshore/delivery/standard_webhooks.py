"""The signature of the Standard Webhooks specification, beside Port's own: receivers check it with a library of theirs.

`v1,` and the base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`. Its secrets are of their own: Port's client secret
opens what Port has encrypted, so it is not handed to receivers.
"""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence

PREFIX = "whsec_"
"""How a secret begins; the base64 of the key follows."""
MIN_BYTES, MAX_BYTES = 24, 64
"""Of a key, as the specification wants it."""

ID, TIMESTAMP, SIGNATURE = HEADERS = "webhook-id", "webhook-timestamp", "webhook-signature"
"""Headers: the invocation, the same at each attempt; when the attempt was signed; the signatures, spaces between."""


class BadWebhookSecret(Exception):
    """A text is no secret; does not quote it."""


class WebhookSigner:
    """Signs with each of its secrets, so that receivers may have either one during a rotation."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raises BadWebhookSecret."""
        self._keys = tuple(parse_secret(secret) for secret in secrets)

    def build_headers(self, id: str, body: bytes | None, now: float) -> dict[str, str]:
        """The three headers for a request with this `body` (None: no body) that is signed at `now`, seconds since 1970.

        `id` may hold no full stop, which is what separates it from the timestamp in what is signed: each goes out as a
        colon.
        """
        id, timestamp = id.replace(".", ":"), str(int(now))
        content = f"{id}.{timestamp}.".encode() + (body or b"")
        signatures = (b64encode(hmac.digest(key, content, "sha256")).decode("ascii") for key in self._keys)
        return {ID: id, TIMESTAMP: timestamp, SIGNATURE: " ".join(f"v1,{signature}" for signature in signatures)}


def parse_secret(text: str) -> bytes:
    """The key in a secret. Raises BadWebhookSecret."""
    try:
        key = b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or not MIN_BYTES <= len(key) <= MAX_BYTES:
        raise BadWebhookSecret
    return key

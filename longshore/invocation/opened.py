"""A message with its secret inputs decrypted, and what of it nobody but the target may see.

Lives in a worker's memory for one attempt, and never goes anywhere else (wire contract, secret inputs).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from longshore.invocation import json_text
from longshore.invocation.decrypt import decrypt, values_at
from longshore.invocation.mapping import MappedRequest
from longshore.invocation.masking import Mask, sensitive_values


@dataclass(frozen=True, slots=True)
class Opened:
    """`text` is the message after decryption, `failed` the paths whose value could not be decrypted."""

    text: str = field(repr=False)
    failed: tuple[str, ...] = ()
    secret: tuple[str, ...] = field(default=(), repr=False)
    """The decrypted values."""


def opened(text: str, paths: Sequence[str], secrets: Sequence[str]) -> Opened:
    """The message `text` with the values at `paths` decrypted by one of `secrets`.

    Raises Malformed for a text that is not JSON.
    """
    if not paths:
        return Opened(text)
    before = json_text.loads(text)
    message, failed = decrypt(before, paths, secrets)
    done = [path for path in paths if path not in failed]
    # Of one path in two spellings the second finds no ciphertext any more: that is no failure, and still a secret.
    secret = [value for value in values_at(message, done) if isinstance(value, str)]
    return Opened(json_text.dumps(message, ascii=False), tuple(failed), tuple(secret))


def mask_of(opened: Opened, request: MappedRequest, always: Iterable[str] = ()) -> Mask:
    """What must not come back from the target of `request`: decrypted values, credentials it was sent, `always`."""
    url = urlsplit(request.url or "")
    query = [*request.query, *parse_qsl(url.query)]
    named = (request.headers, [{name: value} for name, value in query], _value(request.body))
    sent = (value for part in named for value in sensitive_values(part))
    return Mask((*always, *opened.secret, *sent, unquote(url.password or "")))


def _value(body: str | None) -> Any:
    try:
        return json_text.loads(body) if body else None
    except json_text.Malformed:  # deeper than a message may be
        return None

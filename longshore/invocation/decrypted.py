"""A message with its secret inputs decrypted, and what of it nobody but the target may see.

Lives in a worker's memory for one attempt, and never goes anywhere else (wire contract, secret inputs).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from longshore.invocation import json_text
from longshore.invocation.decrypt import decrypt, values_at
from longshore.invocation.mapping import MappedRequest
from longshore.invocation.masking import NOTHING, Mask
from longshore.invocation.secret_variables import secrets_of
from longshore.invocation.sensitive_names import credentials, sensitive_parameters, sensitive_values
from longshore.invocation.urls import parts_of


@dataclass(frozen=True, slots=True)
class DecryptedMessage:
    """`text` is the message after decryption, `failed` the paths whose value could not be decrypted."""

    text: str = field(repr=False)
    failed: tuple[str, ...] = ()
    secret: tuple[str, ...] = field(default=(), repr=False)
    """The decrypted values."""


def decrypt_message(text: str, paths: Sequence[str], secrets: Sequence[str]) -> DecryptedMessage:
    """The message `text` with the values at `paths` decrypted by one of `secrets`.

    Raises Malformed for a text that is not JSON.
    """
    if not paths:
        return DecryptedMessage(text)
    before = json_text.loads(text)
    message, failed = decrypt(before, paths, secrets)
    done = [path for path in paths if path not in failed]
    # Of one path in two spellings the second finds no ciphertext any more: that is no failure, and still a secret.
    secret = [value for value in values_at(message, done) if isinstance(value, str)]
    return DecryptedMessage(json_text.dumps(message, ascii=False), tuple(failed), tuple(secret))


def mask_of(
    decrypt_message: DecryptedMessage,
    request: MappedRequest,
    always: Mask = NOTHING,
    variables: Mapping[str, str] | None = None,
) -> Mask:
    """What must not come back from the target of `request`.

    That is: what `always` masks, decrypted values, credentials it is sent, and the values of the environment's
    `variables` that its mapping reads. Names only hint at secrets, so what is found by its name alone is only guessed.
    """
    url = parts_of(request.url or "")
    named = {
        *sensitive_parameters([*request.headers.items(), *request.query, *parse_qsl(url.query)]),
        *sensitive_values(_value(request.body)),
    }
    certain, guessed = secrets_of(variables or {}, named, f"{url.scheme}://{url.place}".lower())
    sent = (*credentials(request.headers), unquote((url.login or "").partition(":")[2]))
    return always + Mask((*decrypt_message.secret, *sent, *certain), (*named, *guessed))


def _value(body: str | None) -> Any:
    try:
        return json_text.loads(body) if body else None
    except json_text.Malformed:  # deeper than a message may be
        return None

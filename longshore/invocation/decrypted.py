"""A message with its secret inputs decrypted.

It lives in a worker's memory for one attempt, and is never stored or logged (wire contract, secret inputs).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from longshore.invocation import json_text
from longshore.invocation.decrypt import decrypt, values_at


@dataclass(frozen=True, slots=True)
class DecryptedMessage:
    """`text` is the message after decryption, `failed_paths` those whose value could not be decrypted."""

    text: str = field(repr=False)
    failed_paths: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """The decrypted values."""
    verbatim: bool = False
    """Whether `text` is, byte for byte, the body of a request whose mapping gives none. False: nobody has looked."""


def decrypt_message(
    text: str, paths: Sequence[str], secrets: Sequence[str], verbatim: bool = False
) -> DecryptedMessage:
    """The message `text` with the values at `paths` decrypted by one of `secrets`.

    `verbatim` is what holds of `text` where nothing is to be decrypted. Raises Malformed for a text that is not JSON.
    """
    if not paths:
        return DecryptedMessage(text, verbatim=verbatim)
    message = json_text.loads(text)
    decrypted, failed_paths = decrypt(message, paths, secrets)
    decrypted_paths = [path for path in paths if path not in failed_paths]
    # Where two paths spell the same place, the second counts as failed: its value is plaintext by then.
    secret_values = [value for value in values_at(decrypted, decrypted_paths) if isinstance(value, str)]
    return DecryptedMessage(json_text.dumps(decrypted, ascii=False), tuple(failed_paths), tuple(secret_values))

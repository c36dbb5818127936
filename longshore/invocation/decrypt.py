"""Decrypts the secret inputs of an invocation, at the paths its mapping names (wire contract, secret inputs).

A value is base64 of a 16-byte IV, the ciphertext and a 16-byte tag, by AES-256-GCM with the first 32 bytes of the
client secret as key. What cannot be decrypted stays as it is and the delivery goes on, as Port's own agent does.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_IV_BYTES, _TAG_BYTES, _KEY_BYTES = 16, 16, 32
_INDEX = re.compile("-?[0-9]+")


def decrypt(message: dict[str, Any], paths: Iterable[str], secrets: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The message with the values at these paths decrypted, and the paths whose value could not be.

    The given message is not changed, so that it may be stored or logged as it came. A path that leads nowhere or to
    null is passed over without a warning. Every secret is tried, for values encrypted before a rotation.
    """
    failed_paths = []
    for path in dict.fromkeys(paths):  # a second look at a path would take the plaintext for a ciphertext that fails
        steps = path.split(".")
        value = _get_value(message, steps)
        if value is None:
            continue
        plaintext = _decrypt_value(value, secrets)
        if plaintext is None:
            failed_paths.append(path)
        else:
            message = _replace_value(message, steps, plaintext)
    return message, failed_paths


def values_at(message: dict[str, Any], paths: Iterable[str]) -> list[Any]:
    """What stands at these paths; those that lead nowhere are left out."""
    values = (_get_value(message, path.split(".")) for path in paths)
    return [value for value in values if value is not None]


def _get_value(value: Any, steps: list[str]) -> Any:
    for step in steps:
        key = _resolve_key(value, step)
        if key is None:
            return None
        value = value[key]
    return value


def _resolve_key(value: Any, step: str) -> Any:
    """What indexes this container for this step of a path; None where the step leads nowhere."""
    if isinstance(value, dict):
        return step if step in value else None
    # A longer number is no index of anything that fits in memory.
    if isinstance(value, list) and len(step) < 12 and _INDEX.fullmatch(step):
        index = int(step)
        return index if -len(value) <= index < len(value) else None
    return None


def _replace_value(value: Any, steps: list[str], plaintext: str) -> Any:
    """A copy of the containers along the path, sharing everything beside it."""
    if not steps:
        return plaintext
    copy, key = value.copy(), _resolve_key(value, steps[0])
    copy[key] = _replace_value(value[key], steps[1:], plaintext)
    return copy


def _decrypt_value(value: Any, secrets: Sequence[str]) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        ciphertext = base64.b64decode(value.encode("ascii", "ignore"))
    except binascii.Error:
        return None
    if len(ciphertext) < _IV_BYTES + _TAG_BYTES:
        return None
    for secret in secrets:
        key = secret.encode("utf-8", "surrogateescape")[:_KEY_BYTES]
        if len(key) < _KEY_BYTES:
            continue
        try:
            return AESGCM(key).decrypt(ciphertext[:_IV_BYTES], ciphertext[_IV_BYTES:], None).decode()
        except (InvalidTag, UnicodeDecodeError):
            continue
    return None

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

_IV, _TAG, _KEY = 16, 16, 32
_INDEX = re.compile("-?[0-9]+")


def decrypt(message: dict[str, Any], paths: Iterable[str], secrets: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The message with the values at these paths decrypted, and the paths whose value could not be.

    The given message is not changed, so that it may be stored or logged as it came. A path that leads nowhere or to
    null is passed over without a warning. Every secret is tried, for values encrypted before a rotation.
    """
    failed = []
    for path in paths:
        steps = path.split(".")
        value = _find(message, steps)
        if value is None:
            continue
        plain = _plaintext(value, secrets)
        if plain is None:
            failed.append(path)
        else:
            message = _replaced(message, steps, plain)
    return message, failed


def values_at(message: dict[str, Any], paths: Iterable[str]) -> list[Any]:
    """What stands at these paths; those that lead nowhere are left out."""
    found = (_find(message, path.split(".")) for path in paths)
    return [value for value in found if value is not None]


def _find(value: Any, steps: list[str]) -> Any:
    for step in steps:
        key = _key(value, step)
        if key is None:
            return None
        value = value[key]
    return value


def _key(value: Any, step: str) -> Any:
    """What indexes this container for this step of a path; None where the step leads nowhere."""
    if isinstance(value, dict):
        return step if step in value else None
    # A longer number is no index of anything that fits in memory.
    if isinstance(value, list) and len(step) < 12 and _INDEX.fullmatch(step):
        index = int(step)
        return index if -len(value) <= index < len(value) else None
    return None


def _replaced(value: Any, steps: list[str], plain: str) -> Any:
    """A copy of the containers along the path, sharing everything beside it."""
    if not steps:
        return plain
    copy, key = value.copy(), _key(value, steps[0])
    copy[key] = _replaced(value[key], steps[1:], plain)
    return copy


def _plaintext(value: Any, secrets: Sequence[str]) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        sealed = base64.b64decode(value.encode("ascii", "ignore"))
    except binascii.Error:
        return None
    if len(sealed) < _IV + _TAG:
        return None
    for secret in secrets:
        key = secret.encode("utf-8", "surrogateescape")[:_KEY]
        if len(key) < _KEY:
            continue
        try:
            return AESGCM(key).decrypt(sealed[:_IV], sealed[_IV:], None).decode()
        except (InvalidTag, UnicodeDecodeError):
            continue
    return None

"""Which names of headers, parameters and keys announce a secret, and what stands under them.

A name is only a hint: what it announces may be as harmless as `"secret": "platform"`. So the values found here are
masked in texts for people, and never in links, ids and statuses (see `masking.Mask`).
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from longshore.invocation import json_text

MIN_CHARS = 8
"""Shorter values are flags and words, such as `"secret": "none"`."""

MIN_CREDENTIAL_CHARS = 4
"""What follows a scheme is a credential for sure."""

_FINAL_WORD = re.compile(
    "authorization|authentication|bearer|cookies?|credentials?|creds|crumb|hmac|jwt|otp|pass|passcode|passphrase|passwd|"
    "passwords?|pwd|sas|secrets?|sig|signatures?|tokens?"
)
"""Words that announce a secret as the last one of a name."""

_KEY_PREFIX = (
    "access|account|admin|api|app|application|auth|client|consumer|deploy|encryption|functions?|host|integration|"
    "license|master|private|secret|service|session|shared|signing|ssh|storage|subscription|webhook"
)
"""Words that do so before `key`: a `key` alone, of a table or of a cache, is none."""

_COMPOUND_WORD = re.compile(f".*(token|secret|password|passwd|passphrase|pwd|({_KEY_PREFIX})key)")
"""How names end that are written in one word: `clientsecret`, `apikey`."""

_PARAMETER_NAMES = frozenset({"auth", "code", "key", "sid", "sig"})
"""Whole names of query parameters and headers; as keys of a body they mean anything."""

_NEUTRAL_SUFFIXES = frozenset({"sha", "hash", "value", "text", "plain"})
"""Words that change nothing: `secretValue`, `X-Hub-Signature-256`."""

_NAME_CHARS = 100
"""Characters of a name that are looked at, from its end."""

_TITLE = re.compile(r'"(?:name|key)":"([^"\\]*+(?:\\.[^"\\]*+)*+)"')

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ONE_WORD = re.compile(r"[^\s;]+")
_SCHEME = re.compile(r"(?i)(bearer|basic|token|digest|apikey|key|geniekey|ssws|splunk|negotiate)\s+")
_CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "x-port-signature"})


def is_sensitive(name: str) -> bool:
    """Whether a key of this name, anywhere, holds a secret: `Authorization`, `X-Api-Key`, `dbPassword`, `secretKey`."""
    return _is_sensitive_name(name[-_NAME_CHARS:])


@lru_cache(4096)
def _is_sensitive_name(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and (words[-1] in _NEUTRAL_SUFFIXES or words[-1].isdigit()):
        words.pop()
    if not words:
        return False
    before, last = "".join(words[-2:-1]), words[-1]
    return bool(
        _FINAL_WORD.fullmatch(last) or _COMPOUND_WORD.fullmatch(last) or _COMPOUND_WORD.fullmatch(before + last)
    )


def is_sensitive_parameter(name: str) -> bool:
    """The same for query parameters and headers, where `code`, `sig` and `key` do so too."""
    return _is_sensitive_parameter(name[-_NAME_CHARS:])


@lru_cache(4096)
def _is_sensitive_parameter(name: str) -> bool:
    return _is_sensitive_name(name) or name.lower().removeprefix("x-") in _PARAMETER_NAMES


def sensitive_text_values(text: str | None) -> Iterator[str]:
    """`sensitive_values` of the value that a JSON text has which `json_text.dumps` made; none for no JSON.

    Nearly no text has such a name, and its keys are found sooner than all its values.
    """
    if not text or not _may_have_sensitive_name(text):
        return
    try:
        value = json_text.loads(text)
    except json_text.Malformed:  # also where it is deeper than a message may be
        return
    yield from sensitive_values(value)


def _may_have_sensitive_name(text: str) -> bool:
    """Whether one is among the keys, or among what stands as the `name` of a variable, see `sensitive_values`."""
    if "\\" in text:
        text = text.replace("\\\\", "_").replace('\\"', "_")  # like what they stand for, no part of a word
    names = {part[part.rfind('"') + 1 :] for part in text.split('":')[:-1]}
    if "name" in names or "key" in names:
        names.update(_TITLE.findall(text))
    if max(map(len, names), default=0) > _NAME_CHARS:
        names = {name[-_NAME_CHARS:] for name in names}
    # Behind any other escape there may be a letter.
    return any(map(_is_sensitive_name, names)) or ("\\" in text and any("\\" in name for name in names))


def sensitive_values(items: Any) -> Iterator[str]:
    """The texts and numbers that stand under a sensitive name, anywhere in a JSON value."""
    pending = [(items, False)]
    while pending:
        value, sensitive = pending.pop()
        if isinstance(value, Mapping):
            # `{"name": "PASSWORD", "value": "..."}`, as lists of variables have it.
            title = value.get("name", value.get("key"))
            sensitive = sensitive or (isinstance(title, str) and is_sensitive(title))
            pending += ((item, is_sensitive(name) or (sensitive and name == "value")) for name, item in value.items())
        elif isinstance(value, list):
            pending += ((item, sensitive) for item in value)
        elif sensitive and isinstance(value, str):
            yield from credential_forms(value)
        elif sensitive and isinstance(value, int | float | json_text.Literal) and len(str(value)) >= MIN_CHARS:
            yield str(value)


def sensitive_parameters(items: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The values under sensitive names of headers or query parameters, and those of cookies."""
    for name, value in items:
        if _is_sensitive_parameter(name[-_NAME_CHARS:]):
            yield from credential_forms(value)
            if name.lower() == "cookie":
                for cookie in value.split(";"):
                    yield from credential_forms(cookie.partition("=")[2].strip())


def select_sensitive(headers: Mapping[str, str], max_chars: float) -> dict[str, str]:
    """Those headers that hold secrets by their names, but for words longer than `max_chars`."""
    sensitive = ((name, headers[name]) for name in _select_names(tuple(headers)))
    return {name: value for name, value in sensitive if len(value) <= max_chars or not _ONE_WORD.fullmatch(value)}


@lru_cache(1024)  # requests to one place have the same headers
def _select_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(filter(is_sensitive_parameter, names))


def credentials(headers: Mapping[str, str]) -> Iterator[str]:
    """What headers hold that are there for credentials, by their standard or by ours: secrets for sure."""
    for name, value in headers.items():
        if _is_sensitive_parameter(name[-_NAME_CHARS:]) and name.lower() in _CREDENTIAL_HEADERS:
            yield from credential_forms(value)


def credential_forms(value: str) -> Iterator[str]:
    """A sensitive value, and what follows its scheme: `Bearer abc` comes back as `abc` too, `Basic` as what it says."""
    if len(value) >= MIN_CHARS:
        yield value
    if value.split() == [value]:
        return  # nothing but one word
    credential = _SCHEME.sub("", value, count=1)
    if credential == value or len(credential) < MIN_CREDENTIAL_CHARS:
        return
    yield credential
    if value[:5].lower() == "basic":
        user, colon, password = _decode_base64(credential).partition(":")
        if colon and len(password) >= MIN_CREDENTIAL_CHARS:
            yield from (f"{user}:{password}", password)


def _decode_base64(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""

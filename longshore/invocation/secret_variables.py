"""Which variables of the environment that a mapping reads are secrets: tokens are, and so may be all the others.

`env.GITLAB_URL` and `env.REGION` are read as `env.TOKEN` is. What is surely a secret is masked wherever it comes back;
what may be one is masked in texts for people only, as a link with a hole in it is no link.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from longshore.invocation import json_text
from longshore.invocation.sensitive_names import (
    MIN_CHARS,
    MIN_CREDENTIAL_CHARS,
    is_sensitive_parameter,
    sensitive_values,
)

_RANDOM = re.compile("(?<![A-Za-z0-9])(?:[A-Za-z]+[0-9]+[A-Za-z]|[0-9]+[A-Za-z]+[0-9]|[0-9]{2,}[A-Za-z])[A-Za-z0-9]+")
"""Letters and digits as no word mixes them: `8841aa` and `k3yf0r`, but not `west1`, `cluster01` or `3rdparty`."""

_RANDOM_LENGTH = 6


def classify_variables(
    variables: Mapping[str, str], sensitive_texts: Collection[str], origin: str
) -> tuple[list[str], list[str]]:
    """The values that are certainly secrets, and those that may be.

    `sensitive_texts` are the values under sensitive names in the request, `origin` is that of its URL (lower case): a
    part of it is no secret, as it is shown everywhere as the target's name.
    """
    certain: list[str] = []
    guessed: list[str] = []
    for name, value in variables.items():
        if value.lower().rstrip("/") in origin:
            continue
        password, path = _split_url(value)
        if len(password) >= MIN_CREDENTIAL_CHARS:
            certain.append(password)
        certain += sensitive_values(_parse_json(value))
        is_certain = is_sensitive_parameter(name)
        # A mapping may take a newline off that was pasted along.
        for candidate in {value, value.strip(), path}:
            if len(candidate) >= MIN_CHARS:
                (certain if is_certain or candidate in sensitive_texts or _is_random(candidate) else guessed).append(
                    candidate
                )
            elif is_certain and len(candidate) >= MIN_CREDENTIAL_CHARS and not candidate.isalpha():
                certain.append(candidate)
    return certain, guessed


def _parse_json(value: str) -> Any:
    try:
        return json_text.loads(value) if value.lstrip()[:1] in ("{", "[") else None
    except json_text.Malformed:
        return None


def _is_random(value: str) -> bool:
    return any(len(piece) >= _RANDOM_LENGTH for piece in _RANDOM.findall(value))


def _split_url(value: str) -> tuple[str, str]:
    """Password, and path with query: the address of a webhook is often its secret, and comes back without its host."""
    if "://" not in value:
        return "", ""
    try:
        parts = urlsplit(value)
    except ValueError:
        return "", ""
    return unquote(parts.password or ""), parts.path + (f"?{parts.query}" if parts.query else "")

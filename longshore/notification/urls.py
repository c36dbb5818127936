"""The URLs of NOTIFY_URLS as texts. They hold tokens and passwords."""

import re
from collections.abc import Iterable, Iterator

_SEPARATOR = re.compile(r"[\s,]+(?=[A-Za-z0-9]+://)")

MIN_SECRET_CHARS = 16
"""A shorter part of a URL is a word, which would be masked wherever else it stands."""


def split_urls(text: str) -> list[str]:
    """The URLs in a list with commas, spaces or newlines between them; a URL may hold commas itself."""
    return [url for url in _SEPARATOR.split(text.strip()) if url]


def secrets_of(urls: Iterable[str]) -> Iterator[str]:
    """What must be masked: each URL, and those of its parts that are long enough to be a token."""
    for url in urls:
        yield url
        parts = re.split(r"[/:@?&=]+", url.partition("://")[2])
        yield from (part for part in parts if len(part) >= MIN_SECRET_CHARS and "." not in part)

"""A URL cut where its parts end, whatever stands in them.

The parsers of `urllib` and `urllib3` refuse some texts, with errors that quote them, and do not agree on which. What is
to be kept secret, or refused, must be found in all of them.
"""

import re
from typing import NamedTuple

from longshore.invocation.mask_spans import MASK

_AUTHORITY = re.compile(r"\s*(?:([A-Za-z][A-Za-z0-9+.-]*):[/\\]*|[/\\]{2,})([^/\\?#]*)")
"""Scheme, and what stands between the slashes (RFC 3986, 3.2); slashes as leniently as browsers take them."""

_PLACE = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::[0-9]*)?")
"""Host and port."""


class UrlParts(NamedTuple):
    """What a URL says, as it says it: all may be empty, none need make sense."""

    scheme: str
    login: str | None
    """User name and password: what stands before the last `@` of the authority. None without an `@`."""
    place: str
    """Host and port."""
    query: str


def split_url(url: str) -> UrlParts:
    """The parts of `url`. Raises nothing."""
    match = _AUTHORITY.match(url)
    scheme, authority = (match[1] or "", match[2]) if match is not None else ("", "")
    login, at, place = authority.rpartition("@")
    return UrlParts(scheme, login if at else None, place, url.partition("#")[0].partition("?")[2])


def mask_login(url: str) -> str:
    """`url` as it may be shown: user name and password are masked, and what may be a password with a slash in it."""
    match = _AUTHORITY.match(url)
    if match is None or "@" not in url:
        return url
    end = match.start(2) + match[2].rfind("@")
    if "@" not in match[2]:
        if _PLACE.fullmatch(match[2]):
            return url  # the @ belongs to path or query
        end = url.rindex("@")
    return url[: match.start(2)] + MASK + url[end:]

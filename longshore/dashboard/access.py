"""Who may ask: the login of a request, the host it asks for, and whether a page of another site sends it."""

import hmac
import ipaddress
import os
from base64 import b64decode
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

NOBODY = "anonymous"
"""Who acts where nobody has to log in."""


def login_name(logins: Collection[str], authorization: str) -> str | None:
    """The name in a header of RFC 7617 if it holds one of `logins` (`name:password`), byte by byte; None if not."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        given = b64decode(credentials.strip(), validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        return None
    if not any(hmac.compare_digest(os.fsencode(login), given) for login in logins):
        return None
    return given.partition(b":")[0].decode("utf-8", "replace")


def asked_host(headers: Mapping[str, str], host: str, forwarded: bool) -> str:
    """Host and port that a browser has in its address bar: `host`, or where `forwarded`, what the last proxy says."""
    named = headers.get("X-Forwarded-Host", "").rpartition(",")[2].strip() if forwarded else ""
    return (named or host).lower()


def is_known(host: str, names: Collection[str]) -> bool:
    """Whether `host` (with or without port) is an address, `localhost` or one of `names`.

    Any other name may be a foreign one that was made to point at us (DNS rebinding), which makes a foreign page look
    like one of ours.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        if name == "localhost" or name in names:
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_foreign(method: str, headers: Mapping[str, str], host: str) -> bool:
    """Whether a page of another site sends this request, by what browsers add and pages cannot change.

    Links from other sites may lead to our pages: W3C Fetch Metadata, "Navigation" of a resource isolation policy.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None and site not in ("same-origin", "none"):
        leads_here = method == "GET" and headers.get("Sec-Fetch-Mode") == "navigate"
        return not (leads_here and headers.get("Sec-Fetch-Dest", "document") == "document")
    return site != "same-origin" and origin is not None and origin.lower().partition("://")[2] != host

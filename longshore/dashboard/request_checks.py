"""Checks of a request before it reaches a page: its login, its host, and whether another site's page sends it."""

import hmac
import ipaddress
import os
from base64 import b64decode
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

ANONYMOUS = "anonymous"
"""The actor where no login is configured."""


def authenticate_basic(logins: Collection[str], authorization: str) -> str | None:
    """The name in a header of RFC 7617 if it holds one of `logins` (`name:password`), byte by byte; None if not."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        login_bytes = b64decode(credentials.strip(), validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        return None
    if not any(hmac.compare_digest(os.fsencode(login), login_bytes) for login in logins):
        return None
    return login_bytes.partition(b":")[0].decode("utf-8", "replace")


def external_host(headers: Mapping[str, str], host: str, trust_forwarded_host: bool) -> str:
    """Host and port in the browser's address bar: `host`, or the last proxy's header where `trust_forwarded_host`."""
    proxy_host = headers.get("X-Forwarded-Host", "").rpartition(",")[2].strip() if trust_forwarded_host else ""
    return (proxy_host or host).lower()


def is_allowed_host(host: str, allowed_names: Collection[str]) -> bool:
    """Whether `host` (with or without port) is an address, `localhost` or one of `allowed_names`.

    Any other name may be a foreign one that was made to point at us (DNS rebinding), which makes a foreign page look
    like one of ours.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        if name == "localhost" or name in allowed_names:
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_cross_site(method: str, headers: Mapping[str, str], host: str) -> bool:
    """Whether a page of another site sends this request, by what browsers add and pages cannot change.

    Links from other sites may lead to our pages: W3C Fetch Metadata, "Navigation" of a resource isolation policy.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None and site not in ("same-origin", "none"):
        is_navigation = method == "GET" and headers.get("Sec-Fetch-Mode") == "navigate"
        return not (is_navigation and headers.get("Sec-Fetch-Dest", "document") == "document")
    return site != "same-origin" and origin is not None and origin.lower().partition("://")[2] != host

"""Who may look and who may act: addresses that need a login, the name of whoever is logged in, foreign sites."""

import ipaddress
from base64 import b64decode
from typing import Any
from urllib.parse import urlsplit

from longshore.errors import ConfigError

NOBODY = "flower"
"""Who acts where nobody has to log in."""


def require_login(options: Any, insecure: bool) -> None:
    """Raises `ConfigError` where others could reach pages without a login, unless `insecure` says that is meant."""
    if insecure or options.unix_socket or is_loopback(options.address) or options.basic_auth or options.auth:
        return
    raise ConfigError(
        "FLOWER_ADDRESS",
        f'"{options.address}" can be reached from other machines, and nobody would have to log in',
        "Set FLOWER_BASIC_AUTH=name:password, or FLOWER_AUTH with a provider; FLOWER_INSECURE=true where something in "
        "front of Flower asks for a login",
    )


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches `address`; an empty one is every address there is."""
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def actor(user: Any, authorization: str) -> str:
    """The name to put under a requeue: of the login that Flower has checked already."""
    if isinstance(user, bytes):
        user = user.decode("utf-8", "replace")
    if isinstance(user, str) and user:
        return user
    scheme, _, credentials = authorization.partition(" ")
    if scheme == "Basic" and user:
        try:
            return b64decode(credentials).decode().partition(":")[0] or NOBODY
        except ValueError:
            return NOBODY
    return NOBODY


def is_foreign(host: str, site: str | None, origin: str | None) -> bool:
    """Whether a browser says that a page of another site sends this request, e.g. one that guessed our address."""
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != host


def is_rebound(host: str, options: Any) -> bool:
    """Whether a foreign name was made to point at us, which makes a foreign page look like one of ours.

    Only a danger where nobody logs in; there the name must be an address, `localhost`, or what we listen at.
    """
    if options.basic_auth or options.auth or options.unix_socket:
        return False
    name = urlsplit(f"//{host}").hostname or ""
    if name in ("localhost", options.address.lower()):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False

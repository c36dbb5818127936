"""The credentials in addresses that the environment holds, in the forms in which they come back to people."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote

from longshore.invocation.sensitive_names import sensitive_parameters
from longshore.network.proxy_settings import PROXY_VARIABLES

PROXIES = tuple(name for upper in PROXY_VARIABLES for name in (upper, upper.lower()))
"""The variables that name proxies, in both spellings."""


def credentials_of(url: str) -> Iterator[str]:
    """Passwords of the address `url`, and user with password: decoded, and as they are written.

    Never raises: a password that makes the address unreadable has to be known all the more.
    """
    address = url.partition("://")[2] or url
    # Up to the last @: a password that was pasted as it is may hold one, and slashes.
    user, _, password = address.rpartition("@")[0].partition(":")
    if password:
        yield from (password, unquote(password))
        if user:
            # A proxy sees the pair in base64, and a mask finds that by the pair.
            yield from (f"{user}:{password}", unquote(f"{user}:{password}"))
    yield from sensitive_parameters(parse_qsl(address.partition("?")[2]))

"""Answers that come from a proxy itself, for a request in plain HTTP: they say nothing of the target."""

from longshore.delivery.outcome import Response
from longshore.network.connections import describe_login, parse_login_schemes

_SQUID_CAUSES = {
    "ERR_ACCESS_DENIED": "its rules forbid it",
    "ERR_CANNOT_FORWARD": "it has no way there",
    "ERR_CONNECT_FAIL": "it could not connect",
    "ERR_DNS_FAIL": "it does not find the host",
    "ERR_FORWARDING_DENIED": "its rules forbid it",
    "ERR_SECURE_CONNECT_FAIL": "its TLS handshake failed",
    "ERR_SHUTTING_DOWN": "it is shutting down",
    "ERR_SOCKET_FAILURE": "it has no sockets left",
    "ERR_UNSUP_REQ": "it does not support the request",
}
"""Squid's codes (its errors/ folder) for what never left it. ERR_READ_TIMEOUT, ERR_READ_ERROR, ERR_ZERO_SIZE_OBJECT and
the like are not among them: the target has the request then, and may have acted on it."""


def describe_proxy_failure(response: Response) -> str | None:
    """Why the proxy did not pass the request on, to go on after "the proxy". None where it did, or may have.

    `Via` (RFC 9110, 7.6.3) does not tell: it stands in answers that were passed on, too.
    """
    if response.status == 407:
        return describe_login(parse_login_schemes([response.find("proxy-authenticate")]))
    cause = _SQUID_CAUSES.get(response.find("x-squid-error").partition(" ")[0])
    if cause is None or response.status < 400:
        return None
    return f"did not pass the request on ({response.status}): {cause}"

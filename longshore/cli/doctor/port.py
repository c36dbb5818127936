"""The Port API: whether it gives us a token, and whether our clocks agree."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from longshore.cli.doctor.clocks import compared
from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.errors import PortUnavailable
from longshore.port.http import PortHttp
from longshore.port.replies import Reply

READ_S = 10.0

_REMEDIES = {
    401: "Check PORT_CLIENT_ID and PORT_CLIENT_SECRET, and PORT_API_BASE_URL: each region has credentials of its own",
    429: "Wait: Port's rate limit is used up. PORT_API_RATE bounds what this agent asks",
}


def check(context: CheckContext) -> Iterator[Finding]:
    """Asks for one token, as the agent does at its start."""
    settings = context.settings
    if not (settings.port_client_id and settings.port_client_secret):
        yield broken("PORT_CLIENT_ID or PORT_CLIENT_SECRET is missing, so Port is not asked", _REMEDIES[401])
        return
    wire = PortHttp(settings.port_api_base_url, 1, context.connect_s, READ_S, tls=settings.port_tls)
    credentials = {"clientId": settings.port_client_id, "clientSecret": settings.port_client_secret}
    before = time.time()
    try:
        reply = wire.send("POST", "/v1/auth/access_token", credentials, None)
    except PortUnavailable as error:
        yield broken(error.reason, "Check PORT_API_BASE_URL, and the proxy and certificates named above and below")
        return
    finally:
        wire.close()
    after = time.time()
    yield _token(reply, settings.port_api_base_url)
    yield _clock(reply, before, after)


def _token(reply: Reply, base_url: str) -> Finding:
    if reply.status in (400, 401, 403, 404, 422):
        return broken(f"Port does not accept the credentials (HTTP {reply.status})", _REMEDIES[401])
    if not 200 <= reply.status < 300:
        remedy = _REMEDIES.get(reply.status, "Check PORT_API_BASE_URL and status.port.io, and try again")
        return broken(f"Port answered HTTP {reply.status} when asked for a token", remedy)
    body = reply.body if isinstance(reply.body, dict) else {}
    if not isinstance(body.get("accessToken"), str):
        return broken(f"{base_url} answered without an access token", "Check PORT_API_BASE_URL: is that Port's API?")
    life = body.get("expiresIn")
    lives = f", good for {life / 60:.0f} min" if isinstance(life, int | float) and life > 0 else ""
    return ok(f"{base_url} accepts the credentials{lives}")


def _clock(reply: Reply, before: float, after: float) -> Finding:
    text = reply.headers.get("Date")
    try:
        theirs = parsedate_to_datetime(text or "").timestamp()
    except (TypeError, ValueError):
        return warning("its answer has no Date header, so the clocks cannot be compared", "Compare them yourself")
    # The header has whole seconds, cut off: on average half a second less than it was.
    return compared("Port", theirs + 0.5 - (before + after) / 2)

"""The Port API: one pooled session, one cached token, a timeout on everything.

`call` makes one call and tells in plain terms what came of it; it never waits and never repeats, except once with a new
token. Repeating is the outbox's business, so that a failing Port API holds up nothing. All methods are thread-safe.
"""

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from longshore.errors import PortUnavailable
from longshore.port.errors import PortRefused
from longshore.port.http import PortHttp
from longshore.port.rate_limit_pause import Pause, asked_wait
from longshore.port.replies import KafkaCredentials, Reply
from longshore.port.tokens import Token, Tokens

__all__ = ["KafkaCredentials", "PortClient", "Reply"]

TOKEN_LIFE_S = 10_800.0
"""The life of a token whose reply does not say (wire contract: three hours)."""

_TOKEN_LIFE_MAX_S = 1e9
"""Beyond it, or where it is NaN, the life in a reply is no number of seconds."""

_PASSING = frozenset({401, 408, 425, 429})
"""The 4xx that say nothing about the call itself."""

_ABOUT_ALL = frozenset({429, 503})
"""Of those that pass, what says that no call would be taken now. The others may be about this one alone."""

_DETAIL_MAX = 500
"""Characters kept of what Port says about a refusal."""

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class PortClient:
    """Talks to the Port API at `base_url` as the client with these credentials.

    `pool_size` is how many calls can be under way without opening connections of their own. Proxies and the CA bundle
    come from the environment as requests reads it; certificates are always checked.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str,
        *,
        pool_size: int = 10,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credentials = {"clientId": client_id, "clientSecret": client_secret}
        self._host = urlsplit(base_url).hostname or "?"
        self._wire = PortHttp(base_url.rstrip("/"), pool_size, connect_timeout_s, read_timeout_s)
        self._tokens = Tokens(
            self._fetch_token, clock, f"Port at {self._host} refuses the tokens it gives out (HTTP 401)"
        )
        self._pause = Pause(clock)

    def call(self, method: str, path: str, json: Any = None) -> Reply:
        """Make one call; `json` is its body, None for none. Returns Port's reply, whose status is below 300.

        Raises PortUnavailable when it may work later (no connection, no answer, 408, 429, 5xx, credentials not taken)
        and PortRefused when it never will (any other status).
        """
        self._pause.check()
        token = self._tokens.current()
        reply = self._wire.send(method, path, json, token)
        if reply.status == 401:
            token = self._tokens.after_refusal(token)
            reply = self._wire.send(method, path, json, token)
            if reply.status == 401:
                raise self._tokens.refused_again()
        self._tokens.accepted()
        return self._judged(f"{method} {path}", reply)

    def kafka_credentials(self) -> KafkaCredentials:
        """Where Port's Kafka is and how to log in. Raises as `call`, and PortUnavailable for a reply without them."""
        body = self.call("GET", "/v1/kafka-credentials").body
        found = KafkaCredentials.read(body)
        if found is None:
            raise PortUnavailable(f"Port at {self._host} answered without Kafka credentials")
        return found

    def set_streamer(self, name: str) -> None:
        """Tell Port how this organization's agent takes its runs: "KAFKA" or "POLLING". Raises as `call`."""
        self.call("PATCH", "/v1/organization", {"settings": {"portAgentStreamerName": name}})

    def close(self) -> None:
        """Close the pooled connections."""
        self._wire.close()

    def _judged(self, call: str, reply: Reply) -> Reply:
        if 200 <= reply.status < 300:
            return reply
        if reply.status in _PASSING or reply.status >= 500:
            raise self._unavailable(reply)
        if 300 <= reply.status < 400:
            # Following would turn a POST into a GET, or carry the token to another host.
            raise PortUnavailable(
                f"{self._host} answers with a redirect (HTTP {reply.status}): set PORT_API_BASE_URL to where it leads"
            )
        body = reply.body
        raise PortRefused(call, reply.status, _code(body), _detail(body))

    def _unavailable(self, reply: Reply) -> PortUnavailable:
        """The error for a status that passes; a wait that Port asks of everybody holds for all threads."""
        reason = f"Port at {self._host} answered HTTP {reply.status}"
        # The reset of the window stands in every reply; it is a wait only where the window is used up.
        wait = asked_wait(reply.headers, time.time(), used_up=reply.status == 429)
        if wait is not None and reply.status in _ABOUT_ALL:
            self._pause.close(wait, reason)
        return PortUnavailable(reason, wait, reply.status)

    def _fetch_token(self) -> Token:
        """Ask for a token. Whatever goes wrong says nothing about the call that needs it, so it is always passing."""
        reply = self._wire.send("POST", "/v1/auth/access_token", self._credentials, None)
        if reply.status in (400, 401, 403, 404, 422):
            raise PortUnavailable(
                f"Port at {self._host} does not accept the credentials (HTTP {reply.status}): "
                "check PORT_CLIENT_ID, PORT_CLIENT_SECRET and PORT_API_BASE_URL"
            )
        try:
            self._judged("POST /v1/auth/access_token", reply)
        except PortRefused as error:
            raise PortUnavailable(str(error)) from None
        body = reply.body if isinstance(reply.body, dict) else {}
        text, life = body.get("accessToken"), body.get("expiresIn")
        if not isinstance(text, str) or not text or not text.isascii():
            raise PortUnavailable(f"Port at {self._host} answered without an access token")
        if isinstance(life, bool) or not isinstance(life, int | float) or not 0 < life < _TOKEN_LIFE_MAX_S:
            life = TOKEN_LIFE_S
        return Token(text, float(life))


def _detail(body: Any) -> str:
    """What Port says about a refusal, in one line."""
    said = body.get("message") if isinstance(body, dict) else None
    return " ".join(said[:_DETAIL_MAX].split()) if isinstance(said, str) else ""


def _code(body: Any) -> str:
    """Port's short error code, if it is one: other texts may quote what we sent."""
    code = body.get("error") if isinstance(body, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""

"""The Port API: one pooled session, one cached token, a timeout on everything.

`call` makes one call and says in plain terms what came of it; it never waits and never repeats, except once with a new
token. Repeating is the outbox's business, so that a failing Port API holds up nothing. All methods are thread-safe.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlsplit

from longshore.errors import PortRefused, PortUnavailable
from longshore.network.tls import Tls
from longshore.port.http import Blocking, PortHttp
from longshore.port.rate_limit_pause import Pause, parse_wait_s
from longshore.port.replies import KafkaCredentials, Reply
from longshore.port.tokens import Token, Tokens

__all__ = ["KafkaCredentials", "PortClient", "Reply"]

TOKEN_LIFE_S = 10_800.0
"""The life of a token whose reply does not say (wire contract: three hours)."""

_MAX_TOKEN_LIFE_S = 1e9
"""Beyond it, or where it is NaN, the life in a reply is no number of seconds."""

_TRANSIENT_STATUSES = frozenset({401, 408, 425, 429})
"""The 4xx that say nothing about the call itself: it may be taken later."""

_UNTAKEN_STATUSES = _TRANSIENT_STATUSES | {503}
"""The transient ones with which Port says that it has not taken the call; after another 5xx nobody knows."""

_PAUSING_STATUSES = frozenset({429, 503})
"""Transient ones that say that no call would be taken now. The others may be about this one alone."""

_MAX_DETAIL_CHARS = 500
"""Characters kept of what Port says about a refusal."""

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class PortClient:
    """Talks to the Port API at `base_url` as the client with these credentials.

    `pool_size` is how many calls can be under way without opening connections of their own, and `blocking` is entered
    by a thread whose answer takes long. Proxies and the CA bundle come from the environment as requests reads it;
    certificates are always checked. `tls` names a client certificate.
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
        blocking: Blocking = nullcontext,
        tls: Tls | None = None,
    ) -> None:
        self._credentials = {"clientId": client_id, "clientSecret": client_secret}
        self._host = urlsplit(base_url).hostname or "?"
        self._http = PortHttp(base_url.rstrip("/"), pool_size, connect_timeout_s, read_timeout_s, blocking, tls)
        self._tokens = Tokens(
            self._fetch_token, clock, f"Port at {self._host} refuses the tokens it gives out (HTTP 401)"
        )
        self._pause = Pause(clock)

    def call(self, method: str, path: str, json: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Make one call; `json` is its body, None for none. Returns Port's reply, whose status is below 300.

        `headers` go along with those that all calls have.

        Raises PortUnavailable when it may work later (no connection, no answer, 408, 429, 5xx, credentials not taken)
        and PortRefused when it never will (any other status).
        """
        self._pause.check()
        token = self._tokens.current()
        reply = self._http.send(method, path, json, token, headers)
        if reply.status == 401:
            token = self._tokens.replace_refused(token)
            reply = self._http.send(method, path, json, token, headers)
            if reply.status == 401:
                raise self._tokens.note_second_refusal()
        self._tokens.note_success()
        return self._check_status(f"{method} {path}", reply)

    def kafka_credentials(self) -> KafkaCredentials:
        """Where Port's Kafka is and how to log in. Raises as `call`, and PortUnavailable for a reply without them."""
        body = self.call("GET", "/v1/kafka-credentials").body
        credentials = KafkaCredentials.parse(body)
        if credentials is None:
            raise PortUnavailable(f"Port at {self._host} answered without Kafka credentials")
        return credentials

    def set_streamer(self, name: str) -> None:
        """Tell Port how this organization's agent takes its runs: "KAFKA" or "POLLING". Raises as `call`."""
        self.call("PATCH", "/v1/organization", {"settings": {"portAgentStreamerName": name}})

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _check_status(self, call: str, reply: Reply) -> Reply:
        if 200 <= reply.status < 300:
            return reply
        if reply.status in _TRANSIENT_STATUSES or reply.status >= 500:
            raise self._build_unavailable(reply)
        if 300 <= reply.status < 400:
            # Following would turn a POST into a GET, or carry the token to another host.
            raise PortUnavailable(
                f"{self._host} answers with a redirect (HTTP {reply.status}): set PORT_API_BASE_URL to where it leads"
            )
        body = reply.body
        raise PortRefused(call, reply.status, _read_code(body), _read_detail(body))

    def _build_unavailable(self, reply: Reply) -> PortUnavailable:
        """The error for a status that passes; a wait that Port asks of everybody holds for all threads."""
        reason = f"Port at {self._host} answered HTTP {reply.status}"
        # The reset of the window stands in every reply; it is a wait only where the window is used up.
        wait_s = parse_wait_s(reply.headers, time.time(), is_used_up=reply.status == 429)
        if wait_s is not None and reply.status in _PAUSING_STATUSES:
            self._pause.close(wait_s, reason)
        return PortUnavailable(reason, wait_s, reply.status, reply.status not in _UNTAKEN_STATUSES)

    def _fetch_token(self) -> Token:
        """Ask for a token. Whatever goes wrong says nothing about the call that needs it, so it is always transient."""
        reply = self._http.send("POST", "/v1/auth/access_token", self._credentials, None)
        if reply.status in (400, 401, 403, 404, 422):
            raise PortUnavailable(
                f"Port at {self._host} does not accept the credentials (HTTP {reply.status}): "
                "check PORT_CLIENT_ID, PORT_CLIENT_SECRET and PORT_API_BASE_URL"
            )
        try:
            self._check_status("POST /v1/auth/access_token", reply)
        except PortRefused as error:
            raise PortUnavailable(str(error)) from None
        body = reply.body if isinstance(reply.body, dict) else {}
        text, life_s = body.get("accessToken"), body.get("expiresIn")
        if not isinstance(text, str) or not text or not text.isascii():
            raise PortUnavailable(f"Port at {self._host} answered without an access token")
        if isinstance(life_s, bool) or not isinstance(life_s, int | float) or not 0 < life_s < _MAX_TOKEN_LIFE_S:
            life_s = TOKEN_LIFE_S
        return Token(text, float(life_s))


def _read_detail(body: Any) -> str:
    """What Port says about a refusal, in one line."""
    message = body.get("message") if isinstance(body, dict) else None
    return " ".join(message[:_MAX_DETAIL_CHARS].split()) if isinstance(message, str) else ""


def _read_code(body: Any) -> str:
    """Port's short error code, if it is one: other texts may quote what we sent."""
    code = body.get("error") if isinstance(body, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""

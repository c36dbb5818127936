"""One access token for all threads of a process: renewed before it expires, and asked for by one thread at a time."""

import math
import threading
from collections.abc import Callable

from longshore.delivery.issued_credential import IssuedCredential, NoToken
from longshore.delivery.token_request import AccessToken
from longshore.invocation.masking import Mask
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

LEEWAY_S, LEEWAY_RATIO = 60.0, 0.2
"""So long before its end a token is renewed; a short-lived one at this share of its life."""

HOLD_OFF_S = 5.0
"""After a failure nobody asks the token server for so long, or as long as it says."""

MAX_HOLD_OFF_S = 600.0
"""At most: a date far ahead in one `Retry-After` must not outlast what made the server, or a gateway, write it."""

SETTLED_S = 30.0
"""After a token was replaced since a target refused it, another refusal says nothing of the token for so long."""


class AccessTokens:
    """The source of one token. `fetch` asks the token server and raises NoToken; `clock` is monotonic."""

    def __init__(self, place: str, header: str, fetch: Callable[[], AccessToken], clock: Callable[[], float]) -> None:
        self.place = place
        self._header = header
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._issued: IssuedCredential | None = None
        self._renew_at = self._ends_at = -math.inf
        self._failure: NoToken | None = None
        self._hold_off_until = -math.inf
        self._replaced_at = -math.inf

    def current(self) -> IssuedCredential | None:
        """The token; while the token server is held off, an older one as long as it lives. Raises NoToken."""
        issued, now = self._issued, self._clock()
        if issued is not None and now < self._renew_at:
            return issued
        if (failure := self._failure) is None or now >= self._hold_off_until:
            return None
        if issued is not None and now < self._ends_at:
            return issued
        raise NoToken(failure.place, failure.problem, self._hold_off_until - now)

    def issue(self) -> IssuedCredential:
        """The token; of those that wait for a new one, the first asks for all."""
        with self._lock:
            return self.current() or self._renew()

    def replace(self, refused: IssuedCredential) -> IssuedCredential | None:
        """A token that was issued after `refused`. Many see the same refusal; the first of them asks for all."""
        with self._lock:
            if self._issued is not refused:
                return self.current() or self._renew()
            now = self._clock()
            if now - self._replaced_at < SETTLED_S:
                return None
            self._replaced_at = now
            self._issued = None
            issued = self._renew()
            return None if issued.value == refused.value else issued

    def _renew(self) -> IssuedCredential:
        try:
            token = self._fetch()
        except NoToken as failure:
            log.event(events.CREDENTIAL_FETCH_FAILED, host=self.place, problem=failure.problem)
            now = self._clock()
            self._hold_off_until = now + min(MAX_HOLD_OFF_S, max(HOLD_OFF_S, failure.retry_after_s or 0.0))
            self._failure = failure
            if self._issued is not None and now < self._ends_at:
                return self._issued
            raise
        now = self._clock()
        self._failure = None
        self._ends_at = now + token.life_s
        self._renew_at = self._ends_at - min(LEEWAY_S, LEEWAY_RATIO * token.life_s)
        self._issued = IssuedCredential(self._header, f"Bearer {token.text}", Mask((token.text,)), self)
        log.event(events.CREDENTIAL_FETCHED, host=self.place, expires_in_s=round(token.life_s))
        return self._issued

"""One access token for all threads of a process, renewed in time and asked for sparingly.

Port allows 100 unauthenticated calls in five minutes to a whole organization, and the token call is one. So one thread
asks while the others wait for its answer, and after a failure nobody asks again for a while.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from longshore.errors import PortUnavailable

RENEW_AFTER_RATIO = 0.9
"""The share of a token's life after which it is renewed."""

SETTLED_S = 30.0
"""So long after a call was taken, or a token was renewed because of a refusal, a refusal says nothing of the token."""

HOLD_OFF_S = 1.0
MAX_HOLD_OFF_S = 32.0
"""First and longest wait after a failure, doubling (Port's own advice)."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and the seconds it lives."""

    text: str = field(repr=False)
    life_s: float


class Tokens:
    """Hands out the current token. `fetch` asks Port for one and raises PortUnavailable; `clock` is monotonic.

    `refusal_reason` says what is wrong when Port refuses a token that it has just given out.
    """

    def __init__(self, fetch: Callable[[], Token], clock: Callable[[], float], refusal_reason: str = "") -> None:
        self._fetch = fetch
        self._clock = clock
        self._refusal_reason = refusal_reason
        self._accepted_at = -math.inf
        self._renewed_for_refusal_at = -math.inf
        self._lock = threading.Lock()
        self._text = ""
        self._renew_at = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._problem = ""

    def current(self) -> str:
        """A token that should be valid. Raises PortUnavailable."""
        with self._lock:
            if self._text and self._clock() < self._renew_at:
                return self._text
            return self._renew()

    def replace_refused(self, token: str) -> str:
        """Another token than `token`, which Port answered with 401. Raises PortUnavailable.

        Many threads see the same refusal; only the first of them asks for a new token, and again only a while later.
        """
        with self._lock:
            if self._text and self._text != token:
                return self._text
            if self._clock() - self._renewed_for_refusal_at < SETTLED_S:
                raise self._handle_refusal()
            self._renewed_for_refusal_at = self._clock()
            return self._renew()

    def note_second_refusal(self) -> PortUnavailable:
        """A fresh token was refused too. Returns the error to raise."""
        with self._lock:
            return self._handle_refusal()

    def note_success(self) -> None:
        """Port took a call with the token: forget earlier failures."""
        self._accepted_at = self._clock()
        if self._failures:
            with self._lock:
                self._failures = 0

    def _renew(self) -> str:
        wait_s = self._retry_at - self._clock()
        if wait_s > 0:
            raise PortUnavailable(self._problem, wait_s)
        try:
            token = self._fetch()
        except PortUnavailable as error:
            self._text = ""
            raise self._hold_off(error.reason, error.retry_after_s) from None
        self._text = token.text
        self._renew_at = self._clock() + token.life_s * RENEW_AFTER_RATIO
        return token.text

    def _handle_refusal(self) -> PortUnavailable:
        """Another token would not help: an error of this call if Port takes others, otherwise everybody holds off."""
        if self._clock() - self._accepted_at < SETTLED_S:
            return PortUnavailable(f"{self._refusal_reason}, for this call alone")
        self._text = ""
        return self._hold_off(self._refusal_reason, None)

    def _hold_off(self, problem: str, retry_after_s: float | None) -> PortUnavailable:
        wait_s = max(retry_after_s or 0.0, min(MAX_HOLD_OFF_S, HOLD_OFF_S * 2 ** min(self._failures, 10)))
        self._failures += 1
        self._retry_at = self._clock() + wait_s
        self._problem = problem
        return PortUnavailable(problem, wait_s)

"""One access token for all threads of a process, renewed in time and asked for sparingly.

Port allows 100 unauthenticated calls in five minutes to a whole organization, and the token call is one. So one thread
asks while the others wait for its answer, and after a failure nobody asks again for a while.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from longshore.errors import PortUnavailable

RENEW_AT = 0.9
"""The share of a token's life after which it is renewed."""

SETTLED_S = 30.0
"""So long after a call was taken, or a token was renewed because of a refusal, a refusal says nothing of the token."""

HOLD_OFF_S = 1.0
HOLD_OFF_MAX_S = 32.0
"""First and longest wait after a failure, doubling (Port's own advice)."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and the seconds it lives."""

    text: str = field(repr=False)
    life_s: float


class Tokens:
    """Hands out the current token. `fetch` asks Port for one and raises PortUnavailable; `clock` is monotonic.

    `refused` says what is wrong when Port refuses a token that it has just given out.
    """

    def __init__(self, fetch: Callable[[], Token], clock: Callable[[], float], refused: str = "") -> None:
        self._fetch = fetch
        self._clock = clock
        self._refused = refused
        self._accepted_at = -math.inf
        self._renewed_for_refusal_at = -math.inf
        self._lock = threading.Lock()
        self._text = ""
        self._renew_at = 0.0
        self._failures = 0
        self._held_until = 0.0
        self._problem = ""

    def current(self) -> str:
        """A token that should be valid. Raises PortUnavailable."""
        with self._lock:
            if self._text and self._clock() < self._renew_at:
                return self._text
            return self._renewed()

    def after_refusal(self, refused: str) -> str:
        """Another token than `refused`, which Port answered with 401. Raises PortUnavailable.

        Many threads see the same refusal; only the first of them asks for a new token, and again only a while later.
        """
        with self._lock:
            if self._text and self._text != refused:
                return self._text
            if self._clock() - self._renewed_for_refusal_at < SETTLED_S:
                raise self._useless()
            self._renewed_for_refusal_at = self._clock()
            return self._renewed()

    def refused_again(self) -> PortUnavailable:
        """A fresh token was refused too. Returns the error to raise."""
        with self._lock:
            return self._useless()

    def accepted(self) -> None:
        """A call with the token went through: forget earlier failures."""
        self._accepted_at = self._clock()
        if self._failures:
            with self._lock:
                self._failures = 0

    def _renewed(self) -> str:
        left = self._held_until - self._clock()
        if left > 0:
            raise PortUnavailable(self._problem, left)
        try:
            token = self._fetch()
        except PortUnavailable as error:
            self._text = ""
            raise self._hold_off(error.reason, error.retry_after_s) from None
        self._text = token.text
        self._renew_at = self._clock() + token.life_s * RENEW_AT
        return token.text

    def _useless(self) -> PortUnavailable:
        """Another token would not help. If other calls are taken it is about this one; else everybody holds off."""
        if self._clock() - self._accepted_at < SETTLED_S:
            return PortUnavailable(f"{self._refused}, for this call alone")
        self._text = ""
        return self._hold_off(self._refused, None)

    def _hold_off(self, problem: str, asked_s: float | None) -> PortUnavailable:
        wait = max(asked_s or 0.0, min(HOLD_OFF_MAX_S, HOLD_OFF_S * 2 ** min(self._failures, 10)))
        self._failures += 1
        self._held_until = self._clock() + wait
        self._problem = problem
        return PortUnavailable(problem, wait)

"""How long Port asks us to wait, and a gate that keeps everybody waiting that long."""

import re
import threading
from collections.abc import Callable, Mapping

from longshore.errors import PortUnavailable
from longshore.network.retry_after import retry_after_s

WAIT_MAX_S = 600.0
"""Most seconds a header can keep us away: twice Port's window of five minutes, so that a wrong clock costs no day."""

_EPOCH_MIN = 1_000_000_000
_MILLISECONDS_MIN = 100_000_000_000
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


def asked_wait(headers: Mapping[str, str], now: float, used_up: bool = True) -> float | None:
    """The seconds Port asks for, from `Retry-After` or else `x-ratelimit-reset`; None when neither can be read.

    The latter only where the window of the rate limit is `used_up`: Port sends it with every reply. `now` is the time
    of day in epoch seconds. One page of Port's says the reset is an epoch, another that it is the seconds left: a small
    number is seconds left.
    """
    wait = retry_after_s(headers, now)
    if wait is None and used_up:
        wait = _reset(headers.get("x-ratelimit-reset", ""), now)
    return None if wait is None else min(max(0.0, wait), WAIT_MAX_S)


def _reset(text: str, now: float) -> float | None:
    if not _DECIMAL.fullmatch(text.strip()):
        return None
    reset = float(text)
    if reset < _EPOCH_MIN:
        return reset
    return (reset / 1000 if reset >= _MILLISECONDS_MIN else reset) - now


class Pause:
    """Closed while Port has asked for quiet; all threads of a process share one. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until = 0.0
        self._reason = ""

    def close(self, seconds: float, reason: str) -> None:
        """Let nobody through for `seconds`; never shortens a longer pause."""
        with self._lock:
            until = self._clock() + seconds
            if until > self._until:
                self._until, self._reason = until, reason

    def check(self) -> None:
        """Raise PortUnavailable with the time left while closed."""
        left = self._until - self._clock()
        if left > 0:
            raise PortUnavailable(f"{self._reason}; no calls for another {left:.1f} s", left)

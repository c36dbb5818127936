"""How long Port asks us to wait, and a gate that keeps everybody waiting that long."""

import re
import threading
from collections.abc import Callable, Mapping

from longshore.errors import PortUnavailable
from longshore.network.retry_after import retry_after_s

MAX_WAIT_S = 600.0
"""Most seconds a header can keep us away: twice Port's window of five minutes, so that a wrong clock costs no day."""

_EPOCH_MIN = 1_000_000_000
_MILLISECONDS_MIN = 100_000_000_000
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


def parse_wait_s(headers: Mapping[str, str], now: float, is_used_up: bool = True) -> float | None:
    """The seconds Port asks for, from `Retry-After`, otherwise `x-ratelimit-reset`; None when neither can be read.

    The latter only where the window of the rate limit is used up: Port sends it with every reply. `now` is the time of
    day in epoch seconds. One page of Port's says the reset is an epoch, another that it is the seconds left: a small
    number is seconds left.
    """
    wait_s = retry_after_s(headers, now)
    if wait_s is None and is_used_up:
        wait_s = _parse_reset_s(headers.get("x-ratelimit-reset", ""), now)
    return None if wait_s is None else min(max(0.0, wait_s), MAX_WAIT_S)


def _parse_reset_s(text: str, now: float) -> float | None:
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
        wait_s = self._until - self._clock()
        if wait_s > 0:
            raise PortUnavailable(f"{self._reason}; no calls for another {wait_s:.1f} s", wait_s)

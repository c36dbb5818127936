"""The wait that a target asks for with `Retry-After`, in seconds or as a date."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

_DATE_MAX = 100
"""Characters of a date that are looked at."""


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """How many seconds from now the target wants to be left alone; None when it says nothing usable.

    `headers` must find names in any case. A date is taken against the answer's own `Date`, so that two clocks that
    disagree do not matter; without one against `now`, in seconds since 1970. Never negative.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(int(value[:20]))  # beyond 20 digits it is no wish but an attack on our memory
    at = _seconds(value)
    if at is None:
        return None
    answered_at = _seconds(headers.get("Date", ""))
    return max(0.0, at - (now if answered_at is None else answered_at))


def _seconds(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date[:_DATE_MAX])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except Exception:  # whatever that parser, made for mail, makes of what a target writes
        return None

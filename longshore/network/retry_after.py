"""How long a server wants to be left alone: `Retry-After` of an answer (RFC 9110, 10.2.3).

Only what it asks for; whoever calls decides what is too long.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

_DATE_MAX = 100
"""Characters of a date that are looked at."""

_DIGITS_MAX = 20
"""Beyond, a number is no wish but an attack on our memory."""

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
"""RFC 9110 has whole seconds; some gateways write fractions."""


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from now that a server asks for, as a number or as a date; None for nothing usable. Never negative.

    `headers` must find names in any case. A date is taken against the answer's own `Date`, so that two clocks that
    disagree do not matter; without one against `now`, in seconds since 1970.
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value[:_DIGITS_MAX])
    at = _epoch_s(value)
    if at is None:
        return None
    answered_at = _epoch_s(headers.get("Date", ""))
    return max(0.0, at - (now if answered_at is None else answered_at))


def _epoch_s(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date[:_DATE_MAX])
        # A date without a zone is GMT (RFC 9110).
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except Exception:  # whatever that parser, made for mail, makes of what a server writes
        return None

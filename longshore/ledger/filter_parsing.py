"""Parses the filters that people give: on the command line, in pages and in the API."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches

from longshore.errors import LongshoreError
from longshore.invocation.kinds import Kind
from longshore.ledger.scan import Filter
from longshore.ledger.states import FAILED_STATES, State

KINDS = tuple(kind.value for kind in Kind)
FIELDS = ("state", "reason", "target", "action", "kind", "since", "until", "text")

MAX_LENGTH = 2_000
"""Characters of one field, at most."""

_AGE = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class InvalidFilter(LongshoreError):
    """A filter has a value that makes no sense; says why."""


def parse_filter(get_field: Callable[[str], str]) -> Filter:
    """The filter with the texts that `get_field` returns for `FIELDS`, an empty one for any. Raises `InvalidFilter`."""
    words = {name: get_field(name) for name in FIELDS}
    if any(len(value) > MAX_LENGTH for value in words.values()):
        raise InvalidFilter(f"a filter is longer than {MAX_LENGTH} characters")
    for name, choices in (("state", tuple(state.value for state in FAILED_STATES)), ("kind", KINDS)):
        _check_choice(name, words[name], choices)
    return Filter(
        states=(State(words["state"]),) if words["state"] else FAILED_STATES,
        reason=words["reason"],
        target=words["target"],
        lane=words["action"],
        kind=words["kind"],
        since_ms=time_ms(words["since"]),
        until_ms=time_ms(words["until"]),
        text=words["text"],
    )


def time_ms(text: str) -> int:
    """`text` as ms since 1970: an ISO time (UTC unless it says otherwise), or an age such as `2h`.

    An empty text is 0. Raises `InvalidFilter`.
    """
    if not text:
        return 0
    if age := _AGE.fullmatch(text):
        return max(1, round((time.time() - int(age[1]) * _UNITS[age[2]]) * 1000))
    try:
        moment = datetime.fromisoformat(text)
        return max(1, round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000))
    except (ValueError, OverflowError):
        raise InvalidFilter(f"{text[:50]!r} is no time: give e.g. 2026-01-31T12:00 (UTC), or 2h, 30m, 1d ago") from None


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value and value not in choices:
        matches = get_close_matches(value, choices, n=1)
        hint = f"did you mean {matches[0]!r}?" if matches else f"give one of {', '.join(choices)}"
        raise InvalidFilter(f"there is no {name} {value[:50]!r}; {hint}")

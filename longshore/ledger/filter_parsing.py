"""Filters in people's words, for the command line, the pages and the API alike."""

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

LONGEST = 2_000
"""Characters of one field."""

_SPAN = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class InvalidFilter(LongshoreError):
    """What was asked for makes no sense; says why."""


def parse_filter(given: Callable[[str], str]) -> Filter:
    """The filter whose `FIELDS` `given` gives, an empty text for any. Raises `InvalidFilter`."""
    words = {name: given(name) for name in FIELDS}
    if any(len(value) > LONGEST for value in words.values()):
        raise InvalidFilter(f"a filter is longer than {LONGEST} characters")
    for name, known in (("state", tuple(state.value for state in FAILED_STATES)), ("kind", KINDS)):
        _known(name, words[name], known)
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
    """`text` as ms since 1970: an ISO time (UTC unless it says otherwise), or a span before now such as `2h`.

    Nothing is 0. Raises `InvalidFilter`.
    """
    if not text:
        return 0
    if found := _SPAN.fullmatch(text):
        return max(1, round((time.time() - int(found[1]) * _UNITS[found[2]]) * 1000))
    try:
        moment = datetime.fromisoformat(text)
        return max(1, round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000))
    except (ValueError, OverflowError):
        raise InvalidFilter(f"{text[:50]!r} is no time: give e.g. 2026-01-31T12:00 (UTC), or 2h, 30m, 1d ago") from None


def _known(name: str, given: str, known: tuple[str, ...]) -> None:
    if given and given not in known:
        near = get_close_matches(given, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"give one of {', '.join(known)}"
        raise InvalidFilter(f"there is no {name} {given[:50]!r}; {hint}")

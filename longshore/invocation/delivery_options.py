"""The `delivery` section of a mapping: how its invocations are delivered. Port's own agent ignores the key.

Everything in it is ours, so whatever is wrong with it stops the start: a misspelt limit would be no limit.
"""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal

from longshore.invocation import json_text

KEYS = ("target", "timeout", "retry", "rate", "concurrency", "unknown", "idempotent")
RETRY_KEYS = ("max_attempts", "base_s", "max_s", "max_age_s")
LIMIT_KEYS = ("rate", "concurrency")

MAX_TARGET = 200
"""Longest name of a target, in characters."""
SLOWEST, FASTEST = 0.001, 1_000_000
"""Starts per second, besides 0 for no limit."""
DAY_S, YEAR_S = 86_400, 31_536_000
"""Longest timeout, and longest time of retries."""
MOST = 1_000_000
"""Of anything that is counted."""


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """What one mapping says of its deliveries; None is what it leaves to the settings."""

    target: str | None = None
    """Name under which limits, breaker and fair share count, in place of the URL's origin."""
    timeout_s: float | None = None
    max_attempts: int | None = None
    base_s: float | None = None
    max_s: float | None = None
    max_age_s: float | None = None
    rate: float | None = None
    """Starts per second, 0 for no limit."""
    concurrency: int | None = None
    """Most in flight at once."""
    unknown: Literal["park", "retry"] | None = None
    """What an unknown outcome means; where only `idempotent` is given, that decides."""


def read(value: Any, problems: list[str], place: str) -> DeliveryOptions:
    """The section `value`; what is wrong goes to `problems`, beginning with `place` and the key."""
    if value is None:
        return DeliveryOptions()
    if not isinstance(value, dict):
        problems.append(f"{place} is {_kind(value)}, not an object")
        return DeliveryOptions()
    problems += unknown_keys(value, KEYS, place)
    found = {_FIELDS.get(key, key): item for key, item in _values(value, _READERS, place, problems)}
    repeatable = found.pop("idempotent", None)
    retry = value.get("retry")
    if isinstance(retry, dict):
        problems += unknown_keys(retry, RETRY_KEYS, f"{place}, retry")
        found |= dict(_values(retry, _RETRY_READERS, f"{place}, retry", problems))
    elif retry is not None:
        problems.append(f"{place}, retry is {_kind(retry)}, not an object")
    delivery = DeliveryOptions(**found)
    if delivery.unknown is None and repeatable is not None:
        return replace(delivery, unknown="retry" if repeatable else "park")
    return delivery


def read_limits(value: Any, problems: list[str], place: str) -> DeliveryOptions:
    """Only `rate` and `concurrency`, as a limits file has them."""
    if not isinstance(value, dict):
        problems.append(f"{place} is {_kind(value)}, not an object")
        return DeliveryOptions()
    problems += unknown_keys(value, LIMIT_KEYS, place)
    return DeliveryOptions(**dict(_values(value, {key: _READERS[key] for key in LIMIT_KEYS}, place, problems)))


def unknown_keys(given: Collection[str], known: tuple[str, ...], place: str) -> Iterator[str]:
    """A problem for each key that is not known, with the one that was perhaps meant."""
    for key in given:
        if key not in known:
            near = get_close_matches(key.lower(), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            yield f"{place}: unknown key {key!r}; {hint}"


class _Wrong(Exception):
    """A value is no good; caught here, where its place is known."""


def _values(
    given: dict[str, Any], readers: dict[str, Callable[[Any], Any]], place: str, problems: list[str]
) -> Iterator[tuple[str, Any]]:
    for key, read_value in readers.items():
        if given.get(key) is not None:
            try:
                yield key, read_value(given[key])
            except _Wrong as problem:
                problems.append(f"{place}, {key} {problem}")


def _target(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"is {_kind(value)}, not a text")
    if not 0 < len(value) <= MAX_TARGET or not value.isprintable() or " " in value or value == "-":
        raise _Wrong(f"is no name; give 1 to {MAX_TARGET} characters without spaces, e.g. deployer")
    return value


def _number(lowest: float, highest: float, zero: bool = False) -> Callable[[Any], float]:
    def read_value(value: Any) -> float:
        number = _plain(value)
        if not (zero and number == 0) and not lowest <= number <= highest:
            allowed = f"{'0 for no limit, or ' if zero else ''}{lowest:.10g} to {highest:.10g}"
            raise _Wrong(f"is {_shown(value)}; give {allowed}")
        return float(number)

    return read_value


def _whole(value: Any) -> int:
    number = _plain(value)
    if not 1 <= number <= MOST or number != int(number):
        raise _Wrong(f"is {_shown(value)}; give a whole number from 1 to {MOST}")
    return int(number)


def _plain(value: Any) -> int | float:
    if isinstance(value, json_text.Literal):
        plain = value.plain()
        return math.inf if plain is None else plain
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(f"is {_kind(value)}, not a number")
    return value


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 20 else f"{text[:20]}..."


def _unknown(value: Any) -> str:
    if value not in ("park", "retry"):
        raise _Wrong("is neither 'park' (keep it for a person to decide) nor 'retry'")
    return str(value)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"is {_kind(value)}, not true or false")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "target": _target,
    "timeout": _number(SLOWEST, DAY_S),
    "rate": _number(SLOWEST, FASTEST, zero=True),
    "concurrency": _whole,
    "unknown": _unknown,
    "idempotent": _yes_or_no,
}
_RETRY_READERS: dict[str, Callable[[Any], Any]] = {
    "max_attempts": _whole,
    **dict.fromkeys(("base_s", "max_s", "max_age_s"), _number(SLOWEST, YEAR_S)),
}
_FIELDS = {"timeout": "timeout_s"}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}
    return kinds.get(type(value), "a number")

"""What was asked for: filters, times and orders, from a query, a form or JSON, refused in plain words."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from longshore.errors import LongshoreError
from longshore.ledger.filter_parsing import FIELDS, InvalidFilter, parse_filter
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.scan import Filter

_LONGEST_WHY = 500


class BadRequest(LongshoreError):
    """What was asked for makes no sense, or cannot be done; says why."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why, status)
        self.why = why
        self.status = status

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class ParsedFilter:
    """A filter, and the words it was asked for with."""

    words: Mapping[str, str]
    filter: Filter

    @classmethod
    def of(cls, given: Callable[[str], str]) -> "ParsedFilter":
        """The filter whose fields `given` gives, empty for any. Raises `BadRequest`."""
        words = {name: value.strip() for name in FIELDS if (value := given(name).strip())}
        try:
            return cls(words, parse_filter(lambda name: words.get(name, "")))
        except InvalidFilter as problem:
            raise BadRequest(str(problem)) from None

    def query(self, **changes: str) -> str:
        """The same as a query of a URL, with `changes`; an empty value takes a field out."""
        return urlencode({name: value for name, value in ({**self.words, **changes}).items() if value})


def order(actor: str, given: Callable[[str], Any]) -> RequeueRequest:
    """How to send again: `why` (required), `rate`, `canary`, `replay`. Raises `BadRequest`."""
    why = text(given("why")).strip()
    if not why:
        raise BadRequest("say why: it is kept in the history of each invocation")
    if len(why) > _LONGEST_WHY:
        raise BadRequest(f"the reason is longer than {_LONGEST_WHY} characters")
    rate = number(given("rate"), "rate", 50.0)
    canary = number(given("canary"), "canary", 0.0)
    if canary != int(canary):
        raise BadRequest("canary must be a whole number")
    return RequeueRequest(actor, why, rate, int(canary), flag(given("replay")))


def text(value: Any) -> str:
    """A text or nothing; anything else raises `BadRequest`."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest("a text was expected")
    return value


def number(value: Any, name: str, default: float | None = None, least: float = 0) -> float:
    """A number of at least `least`; nothing is `default`. Raises `BadRequest`."""
    if value in (None, "") and default is not None:
        return default
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        found = math.nan
    if not (least <= found <= 1e9):
        raise BadRequest(f"{name} must be a number of at least {least:g}")
    return found


def flag(value: Any) -> bool:
    """A switch of a form or of JSON."""
    return value is True or (isinstance(value, str) and value.lower() in ("1", "true", "yes", "on"))

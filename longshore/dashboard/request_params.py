"""Parses request parameters: filters, numbers and requeue requests, from a query, a form or JSON."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from longshore.dashboard.access_roles import User
from longshore.errors import LongshoreError
from longshore.ledger.filter_parsing import FIELDS, InvalidFilter, parse_filter
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.scan import Filter

_MAX_WHY_CHARS = 500


class BadRequest(LongshoreError):
    """The request is invalid, or cannot be carried out; its text says why. `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message, status)
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class ParsedFilter:
    """A filter, and the fields it was parsed from, for links."""

    fields: Mapping[str, str]
    filter: Filter

    @classmethod
    def parse(cls, get_field: Callable[[str], str]) -> "ParsedFilter":
        """The filter whose fields `get_field` gives, empty for any. Raises `BadRequest`."""
        fields = {name: value.strip() for name in FIELDS if (value := get_field(name).strip())}
        try:
            return cls(fields, parse_filter(lambda name: fields.get(name, "")))
        except InvalidFilter as error:
            raise BadRequest(str(error)) from None

    def to_query(self, **changes: str) -> str:
        """The fields as a query string, with `changes`; an empty value removes a field."""
        return urlencode({name: value for name, value in ({**self.fields, **changes}).items() if value})


def parse_requeue(user: User, get_field: Callable[[str], Any]) -> RequeueRequest:
    """The requeue request in these fields: `why` (required), `rate`, `canary`, `replay`. Raises `BadRequest`."""
    why = parse_text(get_field("why")).strip()
    if not why:
        raise BadRequest("say why: it is kept in the history of each invocation")
    if len(why) > _MAX_WHY_CHARS:
        raise BadRequest(f"the reason is longer than {_MAX_WHY_CHARS} characters")
    rate = parse_number(get_field("rate"), "rate", 50.0)
    canary = parse_number(get_field("canary"), "canary", 0.0)
    if canary != int(canary):
        raise BadRequest("canary must be a whole number")
    return RequeueRequest(user.name, why, rate, int(canary), parse_flag(get_field("replay")), user.role.value)


def parse_text(value: Any) -> str:
    """A text; empty for None. Anything else raises `BadRequest`."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest("expected a text")
    return value


def parse_number(value: Any, name: str, default: float | None = None, minimum: float = 0) -> float:
    """A number of at least `minimum`; None and an empty text give `default`. Raises `BadRequest`."""
    if value in (None, "") and default is not None:
        return default
    try:
        result = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        result = math.nan
    if not (minimum <= result <= 1e9):
        raise BadRequest(f"{name} must be a number of at least {minimum:g}")
    return result


def parse_flag(value: Any) -> bool:
    """A boolean of a form or of JSON."""
    return value is True or (isinstance(value, str) and value.lower() in ("1", "true", "yes", "on"))

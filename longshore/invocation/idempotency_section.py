"""Reads `delivery.idempotency` of a mapping: the header by which its target knows a repeat."""

import re
from dataclasses import dataclass
from typing import Any

from longshore.invocation.section_values import InvalidValue, read_boolean, read_object, type_name

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RESERVED_HEADERS = frozenset(
    {
        "host",
        "authorization",
        "proxy-authorization",
        "cookie",
        "connection",
        "keep-alive",
        "upgrade",
        "expect",
        "te",
        "trailer",
        "accept-encoding",
        "content-encoding",
        "content-length",
        "content-type",
        "transfer-encoding",
        "x-port-signature",
        "x-port-timestamp",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
)


@dataclass(frozen=True, slots=True)
class IdempotencyOptions:
    """The options of one mapping; None is what it leaves to the settings."""

    header: str | None = None
    """Empty for no header."""
    is_fresh_on_requeue: bool | None = None


def read_idempotency(value: Any) -> IdempotencyOptions:
    """The section `value`. Raises InvalidValue."""
    members = read_object(value, {"header": _read_header, "fresh_on_requeue": read_boolean})
    return IdempotencyOptions(members.get("header"), members.get("fresh_on_requeue"))


def find_header_problem(name: str) -> str | None:
    """Why `name` cannot be the name of a header that is added to every request."""
    if not _HEADER_NAME.fullmatch(name):
        return "is not the name of an HTTP header"
    return "is a header with a meaning of its own" if name.lower() in _RESERVED_HEADERS else None


def _read_header(value: Any) -> str:
    if value is False:
        return ""
    if not isinstance(value, str):
        raise InvalidValue(f"is {type_name(value)}; give the name of a header, or false for none")
    if problem := find_header_problem(value):
        raise InvalidValue(f"{problem}; give another, e.g. Idempotency-Key, or false for none")
    return value

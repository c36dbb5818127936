"""Reads the `delivery` section of a mapping into its options. Port's own agent ignores the key.

All its keys are ours, so every problem in it prevents the start: a misspelt limit would be no limit.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from longshore.invocation import json_text
from longshore.invocation.credentials_section import read_credentials
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.host_section import read_host_header
from longshore.invocation.idempotency_section import read_idempotency
from longshore.invocation.order_section import read_order
from longshore.invocation.section_values import InvalidValue, read_boolean, read_text, type_name, unknown_keys
from longshore.invocation.signature_section import read_signature
from longshore.invocation.success_section import read_success
from longshore.invocation.tls_section import read_tls

KEYS = (
    "target",
    "timeout",
    "retry",
    "rate",
    "concurrency",
    "unknown",
    "idempotent",
    "tls",
    "signature",
    "idempotency",
    "credentials",
    "order",
    "success",
    "host_header",
)
RETRY_KEYS = ("max_attempts", "base_s", "max_s", "max_age_s")
LIMIT_KEYS = ("rate", "concurrency")

MAX_TARGET_CHARS = 200
"""Longest name of a target, in characters."""
MIN_VALUE, MAX_RATE = 0.001, 1_000_000
"""The least number of seconds or starts per second, and the most starts per second; 0 is no limit."""
DAY_S, YEAR_S = 86_400, 31_536_000
"""Longest timeout, and longest duration of retries."""
MAX_COUNT = 1_000_000
"""Largest whole number."""


def read_section(value: Any, problems: list[str], place: str) -> DeliveryOptions:
    """The section `value`; problems are appended to `problems`, beginning with `place` and the key."""
    if value is None:
        return DeliveryOptions()
    if not isinstance(value, dict):
        problems.append(f"{place} is {type_name(value)}, not an object")
        return DeliveryOptions()
    problems += unknown_keys(value, KEYS, place)
    values = {_FIELDS.get(key, key): item for key, item in _read_values(value, _READERS, place, problems)}
    is_idempotent = values.pop("idempotent", None)
    retry = value.get("retry")
    if isinstance(retry, dict):
        problems += unknown_keys(retry, RETRY_KEYS, f"{place}, retry")
        values |= dict(_read_values(retry, _RETRY_READERS, f"{place}, retry", problems))
    elif retry is not None:
        problems.append(f"{place}, retry is {type_name(retry)}, not an object")
    delivery = DeliveryOptions(**values)
    if delivery.unknown_outcome is None and is_idempotent is not None:
        return replace(delivery, unknown_outcome="retry" if is_idempotent else "park")
    return delivery


def read_limits(value: Any, problems: list[str], place: str) -> DeliveryOptions:
    """Only `rate` and `concurrency`, as a limits file has them."""
    if not isinstance(value, dict):
        problems.append(f"{place} is {type_name(value)}, not an object")
        return DeliveryOptions()
    problems += unknown_keys(value, LIMIT_KEYS, place)
    return DeliveryOptions(**dict(_read_values(value, {key: _READERS[key] for key in LIMIT_KEYS}, place, problems)))


def _read_values(
    section: dict[str, Any], readers: dict[str, Callable[[Any], Any]], place: str, problems: list[str]
) -> Iterator[tuple[str, Any]]:
    for key, read_value in readers.items():
        if section.get(key) is not None:
            try:
                yield key, read_value(section[key])
            except InvalidValue as error:
                problems.append(f"{place}, {key} {error}")


def _read_target(value: Any) -> str:
    name = read_text(value)
    if not 0 < len(name) <= MAX_TARGET_CHARS or not name.isprintable() or " " in name or name == "-":
        raise InvalidValue(f"is no name; give 1 to {MAX_TARGET_CHARS} characters without spaces, e.g. deployer")
    return name


def _number_reader(minimum: float, maximum: float, allows_zero: bool = False) -> Callable[[Any], float]:
    def read_value(value: Any) -> float:
        number = _to_number(value)
        if not (allows_zero and number == 0) and not minimum <= number <= maximum:
            range_text = f"{'0 for no limit, or ' if allows_zero else ''}{minimum:.10g} to {maximum:.10g}"
            raise InvalidValue(f"is {_shorten(value)}; give {range_text}")
        return float(number)

    return read_value


def _read_integer(value: Any) -> int:
    number = _to_number(value)
    if not 1 <= number <= MAX_COUNT or number != int(number):
        raise InvalidValue(f"is {_shorten(value)}; give a whole number from 1 to {MAX_COUNT}")
    return int(number)


def _to_number(value: Any) -> int | float:
    if isinstance(value, json_text.Literal):
        number = value.plain()
        return math.inf if number is None else number
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"is {type_name(value)}, not a number")
    return value


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 20 else f"{text[:20]}..."


def _read_unknown_policy(value: Any) -> str:
    if value not in ("park", "retry"):
        raise InvalidValue("is neither 'park' (keep it for a person to decide) nor 'retry'")
    return str(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "target": _read_target,
    "timeout": _number_reader(MIN_VALUE, DAY_S),
    "rate": _number_reader(MIN_VALUE, MAX_RATE, allows_zero=True),
    "concurrency": _read_integer,
    "unknown": _read_unknown_policy,
    "idempotent": read_boolean,
    "tls": read_tls,
    "signature": read_signature,
    "idempotency": read_idempotency,
    "success": read_success,
    "host_header": read_host_header,
    "credentials": read_credentials,
    "order": read_order,
}
_RETRY_READERS: dict[str, Callable[[Any], Any]] = {
    "max_attempts": _read_integer,
    **dict.fromkeys(("base_s", "max_s", "max_age_s"), _number_reader(MIN_VALUE, YEAR_S)),
}
_FIELDS = {"timeout": "timeout_s", "unknown": "unknown_outcome", "signature": "standard_webhooks"}

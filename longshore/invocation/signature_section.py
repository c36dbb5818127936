"""Reads `delivery.signature` of a mapping: with what, besides Port's signature, its requests are signed."""

from typing import Any

from longshore.invocation.section_values import read_boolean, read_object


def read_signature(value: Any) -> bool | None:
    """Whether the headers of Standard Webhooks are sent; None leaves it to the settings. Raises InvalidValue."""
    return read_object(value, {"standard_webhooks": read_boolean}).get("standard_webhooks")

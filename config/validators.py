"""What a setting may be beyond its type: a check takes its value and returns it, or raises through `invalid`.

Those across several variables are in `cross_field_checks`.
"""

import logging
import re
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from longshore.delivery.host_patterns import HostPatterns
from longshore.delivery.send_errors import BadHostPattern
from longshore.delivery.standard_webhooks import MAX_BYTES, MIN_BYTES, PREFIX, BadWebhookSecret, parse_secret
from longshore.invocation.idempotency_section import find_header_problem
from longshore.ledger import address
from longshore.notification.kinds import Kind, parse_kinds
from longshore.notification.urls import split_urls

INVALID = "invalid_setting"
"""The error type of the checks here; the context holds `problem` and `remedy`."""

OFFSET_RESETS = ("earliest", "largest", "latest", "smallest", "beginning", "end", "error")
SASL_PROTOCOLS = ("sasl_plaintext", "sasl_ssl")
PROTOCOLS = ("plaintext", "ssl", *SASL_PROTOCOLS)
"""Values of librdkafka's auto.offset.reset and security.protocol."""

MIN_LEASE_S = 8.0
"""A lease is renewed when a third of it has passed. Its clock goes on for up to 2 s of an outage of Redis, and workers
need up to 2 s to come back: work that is under way has to outlive that, and a second outage right behind the first."""


def invalid(problem: str, remedy: str) -> PydanticCustomError:
    """The error for an unusable value; `problem` does not quote the value, which may be a secret."""
    return PydanticCustomError(INVALID, "{problem}. {remedy}", {"problem": problem, "remedy": remedy})


def base_url(value: str) -> str:
    """Check an http(s) address and take its trailing slashes off: paths are appended to it."""
    host = _host_of(value)
    if not value.lower().startswith(("http://", "https://")) or not host:
        raise invalid("is not an http or https address", "Give one, e.g. https://api.getport.io")
    return value.rstrip("/")


def optional_base_url(value: str) -> str:
    """As `base_url`; empty passes."""
    return base_url(value) if value else ""


def redis_url(value: str) -> str:
    """Check a Redis address, or those of several sentinels joined by semicolons; empty passes."""
    try:
        if value:
            address.parse(value)
    except address.BadAddress as error:
        raise invalid(error.problem, error.remedy) from None
    return value


def log_level(value: str) -> str:
    """Take a Python log level in any case; return it in upper case."""
    levels = logging.getLevelNamesMapping()
    if value.upper() not in levels:
        raise invalid("is not a log level", "Give DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return value.upper()


def security_protocol(value: str) -> str:
    """Check librdkafka's security.protocol, which it takes in any case."""
    return _one_of(value, value.lower(), PROTOCOLS, "Kafka security protocol")


def offset_reset(value: str) -> str:
    """Check librdkafka's auto.offset.reset."""
    return _one_of(value, value, OFFSET_RESETS, "Kafka offset reset")


def lease(value: float) -> float:
    """Check how long a lease lasts (s)."""
    if value < MIN_LEASE_S:
        raise invalid(
            "is too short: live work would be dispatched twice when Redis restarts",
            f"Give {MIN_LEASE_S:g} or more; 12 suits most",
        )
    return value


def header_name(value: str) -> str:
    """Check the name of an HTTP header that may be added to every request; empty passes."""
    if value and (problem := find_header_problem(value)):
        raise invalid(problem, "Give another, e.g. Idempotency-Key, or nothing for no header")
    return value


def webhook_secret(value: str) -> str:
    """Check a secret of Standard Webhooks; empty passes."""
    try:
        if value:
            parse_secret(value)
    except BadWebhookSecret:
        size = f"{MIN_BYTES} to {MAX_BYTES} random bytes"
        raise invalid(
            f"is not {PREFIX} and the base64 of {size}", 'Make one: printf "whsec_%s" "$(openssl rand -base64 32)"'
        ) from None
    return value


def host_patterns(value: str) -> str:
    """Check a comma list of hosts, domains, addresses and networks."""
    try:
        HostPatterns.parse(value)
    except BadHostPattern as error:
        raise invalid(f"has an entry that makes no sense: {error}", "See docs/how-to/outgoing-safety.md") from None
    return value


def host_names(value: str) -> str:
    """Check a comma list of host names without ports."""
    for name in filter(None, map(str.strip, value.split(","))):
        if not re.fullmatch(r"[\w.-]+", name):
            raise invalid(f'has an entry that is no host name: "{name}"', "Give names without scheme, port and path")
    return value


def notify_urls(value: str) -> str:
    """Check that a list holds URLs; whether a service takes them, `longshore doctor` says."""
    if any("://" not in url for url in split_urls(value)):
        raise invalid("has an entry that is no URL", "See docs/how-to/notifications.md")
    return value.strip()


def notification_kinds(value: str) -> str:
    """Check a comma list of kinds of notifications; empty means all."""
    try:
        return ",".join(sorted(parse_kinds(value) or Kind))
    except ValueError:
        raise invalid("has an entry that is no kind of notification", f"Give some of {', '.join(Kind)}") from None


def _one_of(value: str, normalized: str, choices: tuple[str, ...], what: str) -> str:
    if normalized not in choices:
        raise invalid(f"is no {what}", f"Give one of {', '.join(choices)}")
    return value


def _host_of(url: str) -> str | None:
    """Return the host of a URL, empty without one; None if the URL makes no sense."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.port is None or parts.port else ""
    except ValueError:
        return None

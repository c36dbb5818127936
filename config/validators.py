"""What a setting may be beyond its type: the checks of single values, and those across several variables.

A check of a single value takes and returns it, or raises through `invalid`. The checks across variables look at the raw
texts, so that they report even when another variable is unusable.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from config import flower_login, host_table_files, tls_files, user_ca_bundle
from config.roles import Role
from longshore.delivery.host_patterns import HostPatterns
from longshore.delivery.send_errors import BadHostPattern
from longshore.delivery.standard_webhooks import MAX_BYTES, MIN_BYTES, PREFIX, BadWebhookSecret, read_secret
from longshore.errors import ConfigError
from longshore.invocation.idempotency_section import find_header_problem
from longshore.ledger import address
from longshore.notification.kinds import Kind, parse_kinds
from longshore.notification.urls import split_urls

INVALID = "invalid_setting"
"""The error type of the checks here; the context holds `problem` and `remedy`."""

_GROUP = "kafka_consumer_group_id"
_OF_KAFKA = ("kafka_", "using_local_port_instance", "commit_mode")
"""How the names of settings begin that matter with Kafka alone."""

OFFSET_RESETS = ("earliest", "largest", "latest", "smallest", "beginning", "end", "error")
SASL_PROTOCOLS = ("sasl_plaintext", "sasl_ssl")
PROTOCOLS = ("plaintext", "ssl", *SASL_PROTOCOLS)
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
"""librdkafka's sasl.mechanism, in its spelling: those with a user and a password, as Port issues them."""


def invalid(problem: str, remedy: str) -> PydanticCustomError:
    """The error for an unusable value; `problem` does not quote the value, which may be a secret."""
    return PydanticCustomError(INVALID, "{problem}. {remedy}", {"problem": problem, "remedy": remedy})


def base_url(value: str) -> str:
    """Check an http(s) address and take its trailing slashes off: paths are appended to it."""
    host = _host_of(value)
    if not value.lower().startswith(("http://", "https://")) or not host:
        raise invalid("is not an http or https address", "Give one, e.g. https://api.getport.io")
    return value.rstrip("/")


def oidc_issuer(value: str) -> str:
    """Check the address of a provider of OpenID Connect; empty passes."""
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


MIN_LEASE_S = 8.0
"""A lease is renewed when a third of it has passed. Its clock goes on for up to 2 s of an outage of Redis, and workers
need up to 2 s to come back: work that is under way has to outlive that, and a second outage right behind the first."""


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
            read_secret(value)
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


def public_url(value: str) -> str:
    """As `base_url`; empty passes."""
    return base_url(value) if value else ""


def without_unused(texts: Mapping[str, str]) -> dict[str, str]:
    """`texts` without the settings of Kafka's client where nothing is read from Kafka: they are not even checked.

    The group's name stays, as it names what is kept in Redis.
    """
    if texts.get("streamer_name") != "POLLING":
        return dict(texts)
    return {name: text for name, text in texts.items() if name == _GROUP or not name.startswith(_OF_KAFKA)}


def find_cross_field_problems(texts: Mapping[str, str], environ: Mapping[str, str], role: Role) -> list[ConfigError]:
    """What is wrong across variables for `role`. `texts` are the settings as texts by field name."""
    assembled = user_ca_bundle.bundle_path(texts.get("longshore_ca_bundle"))
    problems = [*_missing_settings(texts, role), *user_ca_bundle.find_problems(environ, assembled)]
    if role.reads_invocations:
        problems.extend(
            (*_broker_problems(texts), *_kafka_login_problems(texts), *tls_files.find_kafka_problems(texts))
        )
    if role.talks_to_port:
        problems.extend(tls_files.find_port_problems(texts))
    if role is not Role.FLOWER:
        problems.extend(_mapping_file_problems(texts))
        problems.extend(
            host_table_files.find_problems(texts.get("limits_file", ""), texts.get("targets_file", ""), role)
        )
    else:
        problems.extend(flower_login.find_problems(texts, environ))
    return problems


def _missing_settings(texts: Mapping[str, str], role: Role) -> Iterator[ConfigError]:
    required = {"port_org_id": "Give your Port organization id: it names the topics and all that is kept"}
    if role.talks_to_port:
        credentials = "Port shows it under Credentials"
        required |= {"port_client_id": credentials, "port_client_secret": credentials}
    if texts.get("streamer_name", "KAFKA") == "KAFKA":
        required[_GROUP] = "Give <PORT_ORG_ID>.<a name of your own>, e.g. org_AbC123.agent"
    if not role.brings_redis:
        required["redis_url"] = "Give the address of your Redis, e.g. redis://localhost:6379/0"
    for name, remedy in required.items():
        if not texts.get(name):
            yield ConfigError(name.upper(), "is empty" if name in texts else "is missing", remedy)


def _kafka_login_problems(texts: Mapping[str, str]) -> Iterator[ConfigError]:
    """How to log in matters to librdkafka only where the protocol asks for a login."""
    protocol = texts.get("kafka_consumer_security_protocol", "")
    mechanism = texts.get("kafka_consumer_authentication_mechanism", "none")
    if protocol.lower() not in SASL_PROTOCOLS:
        return
    if mechanism not in MECHANISMS:
        yield ConfigError(
            "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM",
            f'"{mechanism}" is no way to log in, which {protocol} of KAFKA_CONSUMER_SECURITY_PROTOCOL asks for',
            f"Give one of {', '.join(MECHANISMS)}; Port's cluster takes SCRAM-SHA-512",
        )
    if _is_local(texts):
        yield ConfigError(
            "KAFKA_CONSUMER_SECURITY_PROTOCOL",
            f"{protocol} needs a login, and with USING_LOCAL_PORT_INSTANCE there is none",
            "Give plaintext or ssl",
        )


def _is_local(texts: Mapping[str, str]) -> bool | None:
    try:
        return TypeAdapter(bool).validate_python(texts.get("using_local_port_instance", "false"))
    except ValidationError:
        return None  # reported where the values are checked


def _broker_problems(texts: Mapping[str, str]) -> Iterator[ConfigError]:
    local = _is_local(texts)
    brokers = bool(texts.get("kafka_consumer_bootstrap_servers"))
    name = "KAFKA_CONSUMER_BOOTSTRAP_SERVERS"
    if local and not brokers:
        yield ConfigError(
            name, "is missing although USING_LOCAL_PORT_INSTANCE is true", "Give the brokers, e.g. localhost:9092"
        )
    if brokers and local is False:
        yield ConfigError(
            name,
            "is set although USING_LOCAL_PORT_INSTANCE is false",
            "Take it out, as the Port API names the brokers, or set USING_LOCAL_PORT_INSTANCE=true",
        )


def _mapping_file_problems(texts: Mapping[str, str]) -> Iterator[ConfigError]:
    path = texts.get("control_the_payload_config_path")
    if path and not Path(path).is_file():
        yield ConfigError(
            "CONTROL_THE_PAYLOAD_CONFIG_PATH",
            f'"{path}" is not a file',
            "Give the path of the mapping file, or take the variable out for the built-in mapping",
        )


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

"""librdkafka's options: the original agent's names and values (wire contract, settings), and the few of our own."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException

from config import small_profile
from config.settings import Settings
from ingest.kafka.credentials import KafkaAccess
from longshore.errors import ConfigError
from longshore.runtime.ca_trust import kafka_bundle

VARIABLES = {
    "session.timeout.ms": "KAFKA_CONSUMER_SESSION_TIMEOUT_MS",
    "sasl": "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM",
    "security.protocol": "KAFKA_CONSUMER_SECURITY_PROTOCOL",
    "auto.offset.reset": "KAFKA_CONSUMER_AUTO_OFFSET_RESET",
    "group.id": "KAFKA_CONSUMER_GROUP_ID",
    "ssl.certificate": "KAFKA_CONSUMER_SSL_CERTIFICATE_LOCATION",
    "ssl.key": "KAFKA_CONSUMER_SSL_KEY_LOCATION",
    "ssl": "LONGSHORE_CA_BUNDLE",
}
"""What librdkafka names when it refuses an option → the variable that it came from. The first that fits counts."""


def consumer_options(
    settings: Settings,
    access: KafkaAccess,
    on_error: Callable[[Any], None],
    on_commit: Callable[[Any, Any], None],
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The options of the consumer at the brokers of `access`; `environ` None means the process environment."""
    options: dict[str, Any] = {
        "bootstrap.servers": access.brokers,
        "client.id": "port-agent",
        "security.protocol": settings.kafka_consumer_security_protocol,
        "sasl.mechanism": settings.kafka_consumer_authentication_mechanism,
        "group.id": settings.kafka_consumer_group_id,
        "session.timeout.ms": settings.kafka_consumer_session_timeout_ms,
        "auto.offset.reset": settings.kafka_consumer_auto_offset_reset,
        "enable.auto.commit": False,
        # librdkafka's own default, and so the original's: both can share a group during a migration.
        "partition.assignment.strategy": "range,roundrobin",
        # The default of 100 ms asks a broker that is away 20 times a second; it grows to 10 s.
        "reconnect.backoff.ms": 500,
        # The default of 60 s is how long a connection counts as good that a firewall has forgotten.
        "socket.timeout.ms": 20_000,
        # The default of 64 MB only costs memory: what we cannot store is better left in Kafka.
        "queued.max.messages.kbytes": 16_384,
        # New partitions and topics are noticed within seconds instead of five minutes, for one small request each time.
        "topic.metadata.refresh.interval.ms": 10_000,
        # What librdkafka would print by itself reaches us as events too; it must not pass by our log.
        "log_level": 2,
        "error_cb": on_error,
        "on_commit": on_commit,
    }
    if settings.has_small_profile:
        options |= small_profile.KAFKA_OPTIONS
    if access.username is not None:
        options |= {"sasl.username": access.username, "sasl.password": access.password}
    if "ssl" in settings.kafka_consumer_security_protocol.lower():
        options |= _build_tls_options(settings, os.environ if environ is None else environ)
    return options


def _build_tls_options(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    certificate = settings.kafka_consumer_ssl_certificate_location
    options = {
        "ssl.ca.location": settings.kafka_consumer_ssl_ca_location or kafka_bundle(environ),
        "ssl.certificate.location": certificate,
        "ssl.key.location": settings.kafka_consumer_ssl_key_location or certificate,
        "ssl.key.password": settings.kafka_consumer_ssl_key_password,
    }
    options = {name: value for name, value in options.items() if value}
    return {
        **options,
        "ssl.endpoint.identification.algorithm": settings.kafka_consumer_ssl_endpoint_identification_algorithm,
    }


def open_consumer(options: dict[str, Any]) -> Consumer:
    """A consumer with these options; raises `ConfigError` where librdkafka refuses one: no restart mends that."""
    try:
        return Consumer(options)
    except KafkaException as error:
        problem = error.args[0].str().strip()
        text = problem.lower()
        name = next((name for word, name in VARIABLES.items() if word in text), "The settings of Kafka")
        remedy = "Correct it; what may be given is in librdkafka's CONFIGURATION.md"
        raise ConfigError(name, f"is refused by librdkafka: {problem}", remedy) from None


def check(settings: Settings) -> None:
    """Have librdkafka check the settings; no broker is asked. Raises `ConfigError` for what it refuses."""
    nobody = KafkaAccess("", "user", "password") if not settings.using_local_port_instance else KafkaAccess("")
    open_consumer(consumer_options(settings, nobody, lambda _: None, lambda *_: None)).close()

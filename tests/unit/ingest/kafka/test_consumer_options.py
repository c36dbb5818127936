"""librdkafka's options: the original's names and values, so that both can share a group."""

import re
from pathlib import Path
from typing import Any

import pytest

from config.cross_field_checks import MECHANISMS
from config.roles import Role
from config.settings import Settings, load
from config.validators import OFFSET_RESETS, SASL_PROTOCOLS
from ingest.kafka.consumer_options import check, consumer_options, open_consumer
from ingest.kafka.credentials import KafkaAccess, from_settings
from longshore.errors import ConfigError
from tests.support.certificates import Authority

BASE = {
    "PORT_ORG_ID": "org",
    "PORT_CLIENT_ID": "client",
    "PORT_CLIENT_SECRET": "secret-0123456789",
    "KAFKA_CONSUMER_GROUP_ID": "org.agent",
    "REDIS_URL": "redis://127.0.0.1",
}


def settings(**more: str) -> Settings:
    return load({**BASE, **more}, Role.INGEST)


def build_options(settings: Settings, access: KafkaAccess, environ: dict[str, str] | None = None) -> dict[str, Any]:
    return consumer_options(settings, access, lambda error: None, lambda error, result: None, environ or {})


def test_ports_kafka_is_read_as_the_original_reads_it() -> None:
    """Names and values of the wire contract, with the chart's security settings."""
    chosen = settings(
        KAFKA_CONSUMER_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_CONSUMER_AUTHENTICATION_MECHANISM="SCRAM-SHA-512",
        KAFKA_CONSUMER_SESSION_TIMEOUT_MS="30000",
        KAFKA_CONSUMER_AUTO_OFFSET_RESET="largest",
    )

    options = build_options(chosen, KafkaAccess("a:9196,b:9196", "user", "password"))

    expected = {
        "client.id": "port-agent",
        "bootstrap.servers": "a:9196,b:9196",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "user",
        "sasl.password": "password",
        "group.id": "org.agent",
        "session.timeout.ms": 30000,
        "auto.offset.reset": "largest",
        "enable.auto.commit": False,
        "partition.assignment.strategy": "range,roundrobin",
    }
    assert {name: options.get(name) for name in expected} == expected


def test_a_local_kafka_gets_no_user() -> None:
    """USING_LOCAL_PORT_INSTANCE: brokers from the settings, defaults for the rest."""
    chosen = settings(USING_LOCAL_PORT_INSTANCE="true", KAFKA_CONSUMER_BOOTSTRAP_SERVERS="127.0.0.1:9092")
    access = from_settings(chosen)
    assert access is not None

    options = build_options(chosen, access)

    assert options["bootstrap.servers"] == "127.0.0.1:9092"
    assert (options["security.protocol"], options["sasl.mechanism"]) == ("plaintext", "none")
    assert (options["session.timeout.ms"], options["auto.offset.reset"]) == (10_000, "earliest")
    assert not {"sasl.username", "sasl.password"} & options.keys()


def test_ports_kafka_is_asked_for_otherwise() -> None:
    """No access comes from the settings then."""
    assert from_settings(settings()) is None


def test_a_client_certificate_is_handed_to_librdkafka(tmp_path: Path) -> None:
    """With its key, or the key in its own file; the CAs for Kafka alone come before the bundle."""
    authority = Authority.create(tmp_path)
    certificate = str(authority.issue("ann", password=b"hush"))
    ssl = "KAFKA_CONSUMER_SSL_"
    chosen = settings(
        KAFKA_CONSUMER_SECURITY_PROTOCOL="ssl",
        KAFKA_CONSUMER_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM="none",
        **{
            f"{ssl}CERTIFICATE_LOCATION": certificate,
            f"{ssl}KEY_PASSWORD": "hush",
            f"{ssl}CA_LOCATION": str(authority.bundle),
        },
    )

    options = build_options(chosen, KafkaAccess("a:9196"), {"SSL_CERT_FILE": certificate})

    assert {
        "ssl.certificate.location": certificate,
        "ssl.key.location": certificate,
        "ssl.key.password": "hush",
        "ssl.ca.location": str(authority.bundle),
        "ssl.endpoint.identification.algorithm": "none",
    } == {name: value for name, value in options.items() if name.startswith("ssl.")}
    check(chosen)


def test_a_ca_bundle_holds_for_kafka_too(tmp_path: Path) -> None:
    """A private CA in front of Kafka works, with the bundle in effect for OpenSSL; that of requests is not Kafka's."""
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    tls = settings(KAFKA_CONSUMER_SECURITY_PROTOCOL="SSL")
    access = KafkaAccess("a:9196", "user", "password")

    assert build_options(tls, access, {"SSL_CERT_FILE": str(bundle)})["ssl.ca.location"] == str(bundle)
    assert "ssl.ca.location" not in build_options(tls, access)
    assert "ssl.ca.location" not in build_options(tls, access, {"REQUESTS_CA_BUNDLE": str(bundle)})
    assert "ssl.ca.location" not in build_options(tls, access, {"SSL_CERT_FILE": str(tmp_path / "missing.pem")})
    assert "ssl.ca.location" not in build_options(settings(), access, {"SSL_CERT_FILE": str(bundle)})


def test_the_password_is_in_no_repr() -> None:
    """Reprs end up in logs."""
    assert "password" not in repr(KafkaAccess("a:9196", "user", "password"))


@pytest.mark.parametrize(
    ("option", "variable"),
    [
        ({"session.timeout.ms": 300_001}, "KAFKA_CONSUMER_SESSION_TIMEOUT_MS"),
        ({"session.timeout.ms": 0}, "KAFKA_CONSUMER_SESSION_TIMEOUT_MS"),
        ({"security.protocol": "sasl_ssl"}, "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM"),
        ({"security.protocol": "x"}, "KAFKA_CONSUMER_SECURITY_PROTOCOL"),
        ({"auto.offset.reset": "x"}, "KAFKA_CONSUMER_AUTO_OFFSET_RESET"),
    ],
)
def test_what_librdkafka_refuses_is_a_wrong_setting_with_the_variables_name(
    option: dict[str, Any], variable: str
) -> None:
    """Exit code 78 instead of a restart loop, and never a user or a password."""
    login = {"sasl.username": "user-1", "sasl.password": "pass-1", "sasl.mechanism": "none"}
    with pytest.raises(ConfigError) as caught:
        open_consumer({"group.id": "org.agent", **login, **option})

    assert variable == caught.value.variable
    assert "refused by librdkafka" in str(caught.value)
    assert not re.search("user-1|pass-1", str(caught.value))


def test_librdkafka_takes_what_our_own_rules_take() -> None:
    """The extremes of each; it looks at them without any broker."""
    for mechanism in MECHANISMS:
        for protocol in SASL_PROTOCOLS:
            check(
                settings(
                    KAFKA_CONSUMER_SECURITY_PROTOCOL=protocol,
                    KAFKA_CONSUMER_AUTHENTICATION_MECHANISM=mechanism,
                    KAFKA_CONSUMER_SESSION_TIMEOUT_MS="300000",
                )
            )
    for reset in OFFSET_RESETS:
        check(settings(KAFKA_CONSUMER_AUTO_OFFSET_RESET=reset, KAFKA_CONSUMER_SESSION_TIMEOUT_MS="1"))
    check(settings(USING_LOCAL_PORT_INSTANCE="true", KAFKA_CONSUMER_BOOTSTRAP_SERVERS="127.0.0.1:9"))


def test_by_default_others_take_up_what_a_killed_program_had_within_15_s() -> None:
    """The session, then the next heartbeat of each other member, who join again; or the lease, then a pump."""
    chosen = settings()
    options = build_options(chosen, KafkaAccess("127.0.0.1:9092"))
    librdkafkas_heartbeat_s = 3

    assert "heartbeat.interval.ms" not in options
    assert options["session.timeout.ms"] / 1000 + librdkafkas_heartbeat_s < 15
    assert chosen.lease_s + chosen.pump_interval_s < 15

"""librdkafka's options: the original's names and values, so that both can share a group."""

from pathlib import Path
from typing import Any

from config.roles import Role
from config.settings import Settings, load
from ingest.credentials import Access, from_settings
from ingest.kafka_options import consumer_options

BASE = {
    "PORT_ORG_ID": "org",
    "PORT_CLIENT_ID": "client",
    "PORT_CLIENT_SECRET": "secret-0123456789",
    "KAFKA_CONSUMER_GROUP_ID": "org.agent",
    "REDIS_URL": "redis://127.0.0.1",
}


def settings(**more: str) -> Settings:
    return load({**BASE, **more}, Role.INGEST)


def options(settings: Settings, access: Access, environ: dict[str, str] | None = None) -> dict[str, Any]:
    return consumer_options(settings, access, lambda error: None, lambda error, done: None, environ or {})


def test_ports_kafka_is_read_as_the_original_reads_it() -> None:
    """Names and values of the wire contract, with the chart's security settings."""
    chosen = settings(
        KAFKA_CONSUMER_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_CONSUMER_AUTHENTICATION_MECHANISM="SCRAM-SHA-512",
        KAFKA_CONSUMER_SESSION_TIMEOUT_MS="30000",
        KAFKA_CONSUMER_AUTO_OFFSET_RESET="largest",
    )

    found = options(chosen, Access("a:9196,b:9196", "user", "password"))

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
    assert {name: found.get(name) for name in expected} == expected


def test_a_local_kafka_gets_no_user() -> None:
    """USING_LOCAL_PORT_INSTANCE: brokers from the settings, defaults for the rest."""
    chosen = settings(USING_LOCAL_PORT_INSTANCE="true", KAFKA_CONSUMER_BOOTSTRAP_SERVERS="127.0.0.1:9092")
    access = from_settings(chosen)
    assert access is not None

    found = options(chosen, access)

    assert found["bootstrap.servers"] == "127.0.0.1:9092"
    assert (found["security.protocol"], found["sasl.mechanism"]) == ("plaintext", "none")
    assert (found["session.timeout.ms"], found["auto.offset.reset"]) == (45000, "earliest")
    assert not {"sasl.username", "sasl.password"} & found.keys()


def test_ports_kafka_is_asked_for_otherwise() -> None:
    """No access comes from the settings then."""
    assert from_settings(settings()) is None


def test_a_ca_bundle_holds_for_kafka_too(tmp_path: Path) -> None:
    """A private CA in front of Kafka works, with the bundle in effect for OpenSSL; that of requests is not Kafka's."""
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    tls = settings(KAFKA_CONSUMER_SECURITY_PROTOCOL="SASL_SSL")
    access = Access("a:9196", "user", "password")

    assert options(tls, access, {"SSL_CERT_FILE": str(bundle)})["ssl.ca.location"] == str(bundle)
    assert "ssl.ca.location" not in options(tls, access)
    assert "ssl.ca.location" not in options(tls, access, {"REQUESTS_CA_BUNDLE": str(bundle)})
    assert "ssl.ca.location" not in options(tls, access, {"SSL_CERT_FILE": str(tmp_path / "missing.pem")})
    assert "ssl.ca.location" not in options(settings(), access, {"SSL_CERT_FILE": str(bundle)})


def test_the_password_is_in_no_repr() -> None:
    """Reprs end up in logs."""
    assert "password" not in repr(Access("a:9196", "user", "password"))

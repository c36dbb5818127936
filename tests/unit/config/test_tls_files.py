"""Certificates for Port's gateway and for Kafka are looked at before anything starts."""

from pathlib import Path

import pytest

from config.roles import Role
from config.settings import load
from longshore.errors import ConfigProblems
from longshore.network.tls import Tls
from tests.support.certificates import Authority

LEAST = {
    "PORT_ORG_ID": "org",
    "PORT_CLIENT_ID": "client",
    "PORT_CLIENT_SECRET": "secret",
    "KAFKA_CONSUMER_GROUP_ID": "org.agent",
    "REDIS_URL": "redis://localhost:6379/0",
}
PORT, KAFKA = "PORT_API_TLS_", "KAFKA_CONSUMER_SSL_"


def problems(**environ: str) -> list[str]:
    """All that is wrong."""
    with pytest.raises(ConfigProblems) as error:
        load({**LEAST, **environ})
    return [str(problem) for problem in error.value.problems]


def test_what_can_be_used_is_taken(tmp_path: Path) -> None:
    """A password is shown nowhere."""
    authority = Authority.create(tmp_path)
    certificate = str(authority.issue("ann", password=b"hush-0123456789"))
    (tmp_path / "password").write_text("hush-0123456789\n")
    password_file = str(tmp_path / "password")
    settings = load(
        {
            **LEAST,
            f"{PORT}CERTIFICATE": certificate,
            f"{PORT}KEY_PASSWORD_FILE": password_file,
            "KAFKA_CONSUMER_SECURITY_PROTOCOL": "ssl",
            f"{KAFKA}CERTIFICATE_LOCATION": certificate,
            f"{KAFKA}KEY_PASSWORD_FILE": password_file,
            f"{KAFKA}CA_LOCATION": str(authority.bundle),
        }
    )

    assert Tls(certificate=certificate, key_password_file=password_file) == settings.port_tls
    assert "hush-0123456789" in settings.secrets_to_mask
    assert "hush-0123456789" not in repr(settings)


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    """By the variable, with the file."""
    authority = Authority.create(tmp_path)
    ann, bob = str(authority.issue("ann")), str(authority.issue("bob"))
    named = problems(
        **{
            f"{PORT}CERTIFICATE": ann,
            f"{PORT}KEY": bob,
            "KAFKA_CONSUMER_SECURITY_PROTOCOL": "ssl",
            f"{KAFKA}CERTIFICATE_LOCATION": "/missing",
            f"{KAFKA}CA_LOCATION": "/gone",
        }
    )

    assert f"{PORT}CERTIFICATE: the client certificate {ann} cannot be used: the key in {bob} is not that" in str(named)
    assert f"{KAFKA}CERTIFICATE_LOCATION: the client certificate /missing cannot be used" in str(named)
    assert 'ca: "/gone" is no readable file' in str(named)
    assert 3 == len(named)


def test_a_key_alone_and_certificates_that_nobody_asks_for_are_named() -> None:
    """And a program that reads no Kafka needs none."""
    assert "PORT_API_TLS_CERTIFICATE: is missing although a key is given" in problems(**{f"{PORT}KEY": "/key"})[0]
    unused = problems(**{f"{KAFKA}KEY_LOCATION": "/key"})
    assert "KAFKA_CONSUMER_SSL_CERTIFICATE_LOCATION: is missing although a key is given" in unused[0]
    assert "KAFKA_CONSUMER_SECURITY_PROTOCOL: is plaintext, which uses none of the certificates" in unused[1]
    load({**LEAST, f"{KAFKA}KEY_LOCATION": "/key"}, Role.WORKER)

"""Redis over TLS with a private CA: the ledger's connections and Celery's are checked alike, and say what is wrong."""

import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from longshore.errors import StoreUnavailable
from longshore.ledger.address import parse
from longshore.ledger.connection import connect, reaching_store
from longshore.runtime.embedded_redis import EmbeddedRedis
from tasks.celery.transport import Transport
from tests.support.certificates import Authority
from tests.support.relays import TlsFront

PASSWORD = "p@ss/w0rd"


def ledger(url: str) -> None:
    """Ask as the ledger does."""
    with connect(url) as client, reaching_store():
        client.ping()


def broker(url: str) -> None:
    """Send and receive as Celery does."""
    options = {"address": parse(url), "global_keyprefix": "ours:"}
    made: Any = Connection
    with made(transport=Transport, transport_options=options) as connection:
        connection.ensure_connection(max_retries=1)
        queue = connection.SimpleQueue("deliver")
        queue.put({"n": 1})
        assert {"n": 1} == queue.get(timeout=5).payload
        queue.close()


CLIENTS = pytest.mark.parametrize("client", [ledger, broker])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "authority")


@pytest.fixture
def front(redis_server: EmbeddedRedis, authority: Authority) -> Iterator[TlsFront]:
    """TLS with a certificate for `localhost`, before a Redis with a password."""
    with redis.Redis.from_url(redis_server.url) as admin:
        admin.config_set("requirepass", PASSWORD)
    with TlsFront(authority.context(), redis_server.port) as front:
        yield front


def url_of(front: TlsFront, options: str = "", host: str = "localhost") -> str:
    return f"rediss://:p%40ss%2Fw0rd@{host}:{front.port}/0{options}"


@CLIENTS
def test_a_private_ca_of_the_environment_is_trusted(
    client: Callable[[str], None], front: TlsFront, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every program exports it; the password is decoded."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))

    client(url_of(front))
    assert front.trusted


@CLIENTS
def test_an_old_private_ca_is_trusted(
    client: Callable[[str], None], redis_server: EmbeddedRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what Python 3.13 wants of a CA by default, as webhooks trust it."""
    old = Authority.create(tmp_path / "old", old=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(old.bundle))

    with TlsFront(old.context(), redis_server.port) as front:
        client(url_of(front).replace(":p%40ss%2Fw0rd@", ""))


def test_a_new_connection_is_taken_whatever_tls_sends_of_its_own(
    redis_server: EmbeddedRedis, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Session tickets of TLS 1.3, also where nothing is asked at the start: no password, no number of a database."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    with (
        TlsFront(authority.context(), redis_server.port) as front,
        connect(url_of(front).replace(":p%40ss%2Fw0rd@", "")) as client,
    ):
        connection: Any = client.connection_pool.make_connection()
        connection.connect()
        assert "TLSv1.3" == connection._sock.version()
        select.select([connection._sock], [], [], 0.3)  # until the tickets have come

        assert not connection.can_read()
        connection.disconnect()


@CLIENTS
def test_a_certificate_of_an_unknown_ca_is_refused(client: Callable[[str], None], front: TlsFront) -> None:
    """The password is not sent."""
    with pytest.raises((StoreUnavailable, OperationalError), match="CERTIFICATE_VERIFY_FAILED"):
        client(url_of(front))
    assert not front.trusted


@CLIENTS
def test_a_certificate_for_another_host_is_refused(
    client: Callable[[str], None], redis_server: EmbeddedRedis, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns any certificate of that CA could else be our Redis."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    with TlsFront(authority.context("elsewhere.invalid"), redis_server.port) as front:
        with pytest.raises((StoreUnavailable, OperationalError), match="Hostname mismatch"):
            client(url_of(front))
        assert not front.trusted
        client(url_of(front, "?ssl_check_hostname=false").replace(":p%40ss%2Fw0rd@", ""))


@CLIENTS
def test_a_bundle_of_its_own_stands_in_the_address(
    client: Callable[[str], None], front: TlsFront, authority: Authority
) -> None:
    """And so does no check at all, for who insists."""
    client(url_of(front, f"?ssl_ca_certs={authority.bundle}"))
    client(url_of(front, "?ssl_cert_reqs=none"))


def test_a_bundle_that_is_not_there_is_named(front: TlsFront, tmp_path: Path) -> None:
    """Redis is away then, and the reason says why."""
    with pytest.raises(StoreUnavailable, match=r"missing\.pem cannot be read"):
        ledger(url_of(front, f"?ssl_ca_certs={tmp_path / 'missing.pem'}"))


def test_a_renewed_ca_needs_no_restart(
    front: TlsFront, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next connection reads the bundle anew."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(Authority.create(tmp_path / "other").bundle.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with connect(url_of(front)) as client:
        with pytest.raises(redis.ConnectionError):
            client.ping()
        bundle.write_bytes(bundle.read_bytes() + authority.bundle.read_bytes())
        assert client.ping()


@CLIENTS
def test_a_unix_socket_works_as_well(client: Callable[[str], None]) -> None:
    """Kombu by itself knows no such scheme."""
    with EmbeddedRedis(private=True) as server:
        client(server.url.replace("db=0", "db=1"))

"""What companies put before the Port API: a gateway that wants a client certificate, a SOCKS proxy."""

import ssl
from contextlib import closing
from pathlib import Path

import pytest

from longshore.errors import PortUnavailable
from longshore.network.tls import Tls
from longshore.port import PortClient
from tests.support.certificates import Authority
from tests.support.hostile import HostileTarget, answering, refusing
from tests.support.socks_server import NOT_ALLOWED, SocksServer

TOKEN = b'HTTP/1.1 200 OK\r\nContent-Length: 35\r\n\r\n{"accessToken":"a","expiresIn":900}'


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_gateway_is_shown_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion
) -> None:
    """Without one, the setting is named, and the call was surely not taken."""
    authority = Authority.create(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    with HostileTarget(answering(TOKEN), authority.demanding_context(version)) as gateway:
        url = gateway.url("", host="localhost")
        with closing(PortClient(url, "id", "secret", tls=Tls(certificate=str(authority.issue("ann"))))) as client:
            assert {"accessToken": "a", "expiresIn": 900} == client.call("GET", "/v1/x").body
    with HostileTarget(refusing(authority.demanding_context(version))) as gateway:
        url = f"https://localhost:{gateway.port}"
        with closing(PortClient(url, "id", "secret")) as client, pytest.raises(PortUnavailable) as error:
            client.call("GET", "/v1/x")

    assert "wants a client certificate" in str(error.value)
    assert "PORT_API_TLS_CERTIFICATE" in str(error.value)
    assert not error.value.may_be_taken


def test_port_is_called_through_a_socks_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which looks the name up. Where it opens no connection, the call was surely not taken."""
    with HostileTarget(answering(TOKEN)) as port, SocksServer(hosts={"port.invalid": port.port}) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{proxy.address}")
        with closing(PortClient("http://port.invalid", "id", "secret")) as client:
            assert {"accessToken": "a", "expiresIn": 900} == client.call("GET", "/v1/x").body
    with SocksServer(answer=NOT_ALLOWED) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{proxy.address}")
        with (
            closing(PortClient("http://port.invalid", "id", "secret")) as client,
            pytest.raises(PortUnavailable, match="the proxy does not answer, or opens no tunnel") as error,
        ):
            client.call("GET", "/v1/x")

    assert "GET /v1/x HTTP/1.1" == port.received[1].line
    assert not error.value.may_be_taken

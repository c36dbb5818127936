"""A gateway that routes by `Host` gets the one that the mapping names; everything else goes by the URL."""

import pytest

from longshore.delivery import EgressPolicy, Verdict
from longshore.delivery.host_patterns import HostPatterns
from longshore.delivery.send import Sender
from tests.integration.delivery.test_redirects import moved
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, answering
from tests.support.posting import Post, make_sender
from tests.support.socks_server import SocksServer

HOST = "app.internal:8443"


@pytest.mark.parametrize("headers", [{}, {"host": "App.Internal:8443"}])
def test_the_gateway_gets_the_host_that_the_mapping_names(sender: Sender, headers: dict[str, str]) -> None:
    """Once, also where a mapped header says the same."""
    with HostileTarget(answering(OK)) as gateway:
        outcome = sender.send(Post(gateway.url(), headers=headers, host=HOST))

    assert Verdict.DELIVERED is outcome.verdict
    assert [HOST] == [value for name, value in gateway.received[0].headers if name.lower() == "host"]


def test_a_mapped_host_that_nobody_named_is_refused_all_the_same(sender: Sender) -> None:
    """With the remedy."""
    with HostileTarget(answering(OK)) as gateway:
        outcome = sender.send(Post(gateway.url(), headers={"Host": "other.internal"}, host=HOST))

    assert (False, "bad_request") == (outcome.sent, outcome.reason)
    assert "delivery.host_header" in outcome.cause
    assert [] == gateway.received


def test_the_certificate_is_asked_for_and_checked_by_the_name_in_the_url(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that only routes proves nothing."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    sender = make_sender()
    asked: list[str | None] = []
    context = authority.context()
    context.sni_callback = lambda _, name, __: asked.append(name)
    with HostileTarget(answering(OK), context) as gateway:
        outcome = sender.send(Post(gateway.url(host="localhost"), host=HOST))
        sender.close()

    assert Verdict.DELIVERED is outcome.verdict
    assert (["localhost"], HOST) == (asked, gateway.received[0].header("Host"))


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_keeps_it_at_the_gateway_alone(sender: Sender, status: int) -> None:
    """Another host would not know it, or would route by it where nobody meant to."""
    with (
        HostileTarget(answering(OK)) as other,
        HostileTarget(answering(moved(status, "/next"), moved(status, other.url()))) as gateway,
    ):
        sender.send(Post(gateway.url(), host=HOST))

    assert [HOST, HOST] == [received.header("Host") for received in gateway.received]
    assert [other.address] == [received.header("Host") for received in other.received]


def test_a_proxy_that_reads_the_request_never_gets_it(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may choose the target by it, past the lists that go by the URL."""
    with HostileTarget(answering(OK)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        outcome = sender.send(Post("http://gateway.invalid/", host=HOST))

    assert (Verdict.GIVE_UP, False, "denied") == (outcome.verdict, outcome.sent, outcome.reason)
    assert "host_header" in outcome.cause
    assert [] == proxy.received


def test_a_proxy_that_opens_connections_lets_it_through(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """It connects where it is asked to, and reads nothing."""
    with HostileTarget(answering(OK)) as gateway, SocksServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"socks5h://{proxy.address}")
        sender.send(Post(gateway.url(), host=HOST))

    assert HOST == gateway.received[0].header("Host")


def test_the_lists_of_hosts_go_by_the_url() -> None:
    """An allowed name in the header opens no other place."""
    policy = EgressPolicy(allow=HostPatterns.parse("app.internal"))
    sender = make_sender(egress_policy=policy)
    with HostileTarget(answering(OK)) as gateway:
        outcome = sender.send(Post(gateway.url(), host=HOST))
        sender.close()

    assert "denied" == outcome.reason
    assert [] == gateway.received

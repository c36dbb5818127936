"""SOCKS5 proxies as `requests` understands the environment."""

import socket
from collections.abc import Iterator

import pytest

from longshore.delivery import EgressPolicy, Fault, HostPatterns, Verdict
from longshore.delivery.resolver import Resolver
from longshore.delivery.send import Sender
from longshore.invocation.tls_section import TlsOptions
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, Talk, answering, closed_port
from tests.support.posting import Post, make_sender
from tests.support.socks_server import NOT_ALLOWED, SocksServer


@pytest.fixture
def target() -> Iterator[HostileTarget]:
    with HostileTarget(answering(OK)) as target:
        yield target


def looked_up(host: str, port: int, family: int, kind: int) -> list[tuple[object, ...]]:
    """A name server for which every name is this machine."""
    return [(socket.AF_INET, kind, 0, "", ("127.0.0.1", port))]


def test_the_proxy_looks_names_up_with_socks5h(
    sender: Sender, target: HostileTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is kept, and is a direct one: no whole URL goes over it."""
    with SocksServer(hosts={"hook.invalid": target.port}) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{proxy.address}")
        outcomes = [sender.send(Post("http://hook.invalid:8080/a?k=v")) for _ in range(2)]
        sender.close()

    assert [Verdict.DELIVERED] * 2 == [outcome.verdict for outcome in outcomes]
    assert [("hook.invalid", 8080)] == proxy.requests
    assert "POST /a?k=v HTTP/1.1" == target.received[0].line
    assert "hook.invalid:8080" == target.received[0].header("Host")


def test_the_proxy_is_asked_for_an_address_with_socks5(target: HostileTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are looked up here."""
    sender = make_sender(resolver=Resolver(looked_up))
    with SocksServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"socks5://{proxy.address}")
        outcome = sender.send(Post(f"http://hook.invalid:{target.port}/"))
        sender.close()

    assert Verdict.DELIVERED is outcome.verdict
    assert [("127.0.0.1", target.port)] == proxy.requests


def test_egress_rules_hold_for_names_and_for_addresses_that_are_looked_up_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the proxy resolves a name to is its business, as with every proxy."""
    policy = EgressPolicy(deny=HostPatterns.parse("127.0.0.0/8, *.secret.invalid"))
    causes = []
    with SocksServer(answer=NOT_ALLOWED) as proxy:
        for scheme in ("socks5", "socks5h"):
            monkeypatch.setenv("ALL_PROXY", f"{scheme}://{proxy.address}")
            sender = make_sender(egress_policy=policy, resolver=Resolver(looked_up))
            causes += [sender.send(Post(f"http://{host}/")).reason for host in ("a.secret.invalid", "hook.invalid")]
            sender.close()

    assert ["denied", "denied", "denied", "proxy"] == causes
    assert [("hook.invalid", 80)] == proxy.requests


def test_tls_with_a_client_certificate_goes_through(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = TlsOptions(str(authority.issue("ann")), ca=str(authority.bundle))
    with (
        HostileTarget(answering(OK), authority.demanding_context()) as target,
        SocksServer("ann", "p@ss word") as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"socks5h://ann:p%40ss%20word@{proxy.address}")
        sender = make_sender()
        outcomes = [sender.send(Post(target.url(host="localhost")), tls=tls).verdict for _ in range(2)]
        sender.close()

    assert [Verdict.DELIVERED] * 2 == outcomes
    assert [("localhost", target.port)] == proxy.requests


@pytest.mark.parametrize(
    ("login", "answer", "words"),
    [
        ("", 0, "it wants a user name and a password, or others: put them into the proxy's URL"),
        ("ann:wr0ng@", 0, "it wants a user name and a password, or others: put them into the proxy's URL"),
        ("ann:s3cret@", NOT_ALLOWED, "it opens no connection to hook.invalid:80 (0x02: Connection not allowed"),
        ("ann:s3cret@", 0x5B, "it opens no connection to hook.invalid:80 (0x5b: Unknown error)"),
    ],
)
def test_a_proxy_that_opens_no_connection_is_named(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, login: str, answer: int, words: str
) -> None:
    """It is at fault, and nothing was sent. No password is shown."""
    with SocksServer("ann", "s3cret", answer=answer) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{login}{proxy.address}")
        outcome = sender.send(Post("http://hook.invalid/"))

    assert (Verdict.RETRY, False, "proxy", Fault.NONE) == (
        outcome.verdict,
        outcome.sent,
        outcome.reason,
        outcome.fault,
    )
    assert outcome.cause.startswith(f"through the proxy {proxy.address}: {words}")


def test_a_dead_proxy_is_named(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{closed_port()}"
    monkeypatch.setenv("ALL_PROXY", f"socks5h://{address}")
    outcome = sender.send(Post("http://hook.invalid/"))

    assert (Verdict.RETRY, False, "proxy") == (outcome.verdict, outcome.sent, outcome.reason)
    assert outcome.cause.startswith(f"through the proxy {address}: connection refused")


@pytest.mark.parametrize(("timeout_s", "total_s"), [(0.2, 30), (30, 0.4)])
def test_a_proxy_that_does_not_answer_ends_in_time(
    monkeypatch: pytest.MonkeyPatch, timeout_s: float, total_s: float
) -> None:
    """By the time for connecting, or by the total deadline."""
    sender = make_sender(timeout_s=timeout_s, total_s=total_s)
    with HostileTarget(Talk.hang) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{proxy.address}")
        outcome = sender.send(Post("http://hook.invalid/"))
        sender.close()

    assert (Verdict.RETRY, False) == (outcome.verdict, outcome.sent)
    assert outcome.reason in ("proxy", "deadline")


@pytest.mark.parametrize("url", ["socks5://", f"socks5://{'a' * 200}:b@127.0.0.1:1"])
def test_what_is_no_socks5_proxy_is_named(sender: Sender, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """As what is no proxy at all."""
    monkeypatch.setenv("ALL_PROXY", url)
    outcome = sender.send(Post("http://hook.invalid/"))

    assert (Verdict.RETRY, False, "proxy") == (outcome.verdict, outcome.sent, outcome.reason)
    assert "the proxy set for hook.invalid:80 cannot be used" in outcome.cause

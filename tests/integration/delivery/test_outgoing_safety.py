"""What may not be called gets no connection: judged by the address connected to, on every hop, and before a proxy."""

import socket
from collections.abc import Sequence

import pytest

from longshore.delivery import EgressPolicy, Fault, HostPatterns, InternalService, Outcome, Verdict, connection
from longshore.delivery.resolver import AddrInfo, Resolver
from tests.support.hostile import OK, HostileTarget, Talk, answering
from tests.support.posting import Post, make_sender

METADATA = "http://169.254.169.254/latest/meta-data/?token=hush"


def send(url: str, *, allow: str = "", deny: str = "", internal_services: Sequence[InternalService] = ()) -> Outcome:
    """The outcome of a request under an egress policy."""
    sender = make_sender(
        egress_policy=EgressPolicy(HostPatterns.parse(allow), HostPatterns.parse(deny), internal_services)
    )
    try:
        return sender.send(Post(url))
    finally:
        sender.close()


def is_denied(outcome: Outcome, *, sent: bool = False) -> bool:
    """Is this the outcome of what may not be called?"""
    return (Verdict.GIVE_UP, sent, "denied", Fault.REQUEST) == (
        outcome.verdict,
        outcome.sent,
        outcome.reason,
        outcome.fault,
    )


def test_a_metadata_service_is_denied_with_the_setting_that_allows_it() -> None:
    """By default, for good, and with nothing secret in the cause."""
    outcome = send(METADATA)

    assert is_denied(outcome)
    assert "set WEBHOOK_ALLOW=*,169.254.169.254 to allow it" in outcome.cause
    assert "hush" not in outcome.cause


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "0.0.0.0", "127.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_denied_address_gets_no_connection_in_any_spelling(scheme: str, host: str) -> None:
    """Whatever the resolver makes of it."""
    with HostileTarget(answering(OK)) as target:
        outcome = send(f"{scheme}://{host}:{target.port}/", deny="127.0.0.0/8,::1")

    assert is_denied(outcome)
    assert 0 == target.connections


def test_our_own_service_is_denied_and_its_neighbour_is_not() -> None:
    """By address and port: everything may live on one machine."""
    with HostileTarget(answering(OK)) as redis, HostileTarget(answering(OK)) as target:
        internal_services = [InternalService("Redis", "localhost", redis.port)]
        denial, neighbour = (
            send(redis.url(), internal_services=internal_services),
            send(target.url(), internal_services=internal_services),
        )
        exception = send(redis.url(), internal_services=internal_services, allow=f"*,{redis.address}")

    assert is_denied(denial)
    assert f"{redis.address} is our own Redis" in denial.cause
    assert [Verdict.DELIVERED] * 2 == [neighbour.verdict, exception.verdict]
    assert 1 == redis.connections


def test_a_service_is_found_at_every_address_of_this_machine() -> None:
    """One that listens everywhere is reached through the address of the network card as well."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        here = probe.getsockname()[0]

    assert is_denied(send(f"http://{here}:6379/", internal_services=[InternalService("Redis", "127.0.0.1", 6379)]))


def test_the_address_that_is_judged_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes its mind between a check and the connection would find nothing in between."""
    lookups: list[str] = []

    def changing(host: str, port: int, *_: int) -> Sequence[AddrInfo]:
        lookups.append(host)
        address = "127.0.0.1" if len(lookups) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(connection, "MAX_IDLE_S", 0.0)
    sender = make_sender(egress_policy=EgressPolicy(deny=HostPatterns.parse("127.0.0.2")), resolver=Resolver(changing))
    with HostileTarget(answering(OK)) as target:
        outcomes = [sender.send(Post(target.url(host="rebinding.example"))) for _ in range(2)]
    sender.close()

    assert Verdict.DELIVERED is outcomes[0].verdict
    assert is_denied(outcomes[1])
    assert ["rebinding.example"] * 2 == lookups, "one look-up for each connection"


def test_a_good_address_is_called_although_another_of_the_name_is_denied() -> None:
    """And only the good one."""

    def both(_: str, port: int, *__: int) -> Sequence[AddrInfo]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("169.254.169.254", "127.0.0.1")
        ]

    sender = make_sender(resolver=Resolver(both))
    with HostileTarget(answering(OK)) as target:
        outcome = sender.send(Post(target.url(host="two.example")))
    sender.close()

    assert Verdict.DELIVERED is outcome.verdict


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_does_not_lead_past_the_egress_policy(status: int) -> None:
    """The first host was called, so this was sent; it will be the same tomorrow."""
    answer = f"HTTP/1.1 {status} Over there\r\nLocation: {METADATA}\r\nContent-Length: 0\r\n\r\n".encode()
    with HostileTarget(answering(answer)) as target:
        outcome = send(target.url())

    assert is_denied(outcome, sent=True)
    assert outcome.cause.startswith("redirected to a place that may not be called: 169.254.169.254:80")


def test_a_redirect_to_a_host_that_is_not_allowed_gets_no_connection() -> None:
    """An allow list holds for every hop."""
    with HostileTarget(answering(OK)) as other:
        place = f"HTTP/1.1 307 Over there\r\nLocation: {other.url()}\r\nContent-Length: 0\r\n\r\n".encode()
        with HostileTarget(answering(place)) as target:
            outcome = send(target.url(), allow=target.address)

    assert is_denied(outcome, sent=True)
    assert f"{other.address} is not in WEBHOOK_ALLOW" in outcome.cause
    assert 0 == other.connections


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["metadata.google.internal", "2852039166", "inside.example"])
def test_a_proxy_is_not_asked_for_what_may_not_be_called(
    scheme: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, since the proxy looks it up; on a connection that was open already, too."""
    with HostileTarget(answering(OK)) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url(""))
        sender = make_sender(egress_policy=EgressPolicy(deny=HostPatterns.parse("inside.example")))
        good = sender.send(Post("http://target.example/"))
        outcome = sender.send(Post(f"{scheme}://{host}/"))
        sender.close()

    assert Verdict.DELIVERED is good.verdict
    assert is_denied(outcome)
    assert ["POST http://target.example/ HTTP/1.1"] == [received.line for received in proxy.received]


def test_the_proxy_itself_is_the_operators_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists are about where webhooks go, not about the way."""
    with HostileTarget(answering(OK)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        outcome = send("http://target.example/", allow="target.example", deny="127.0.0.0/8")

    assert Verdict.DELIVERED is outcome.verdict


def test_hosts_of_no_proxy_are_judged_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are called directly."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "localhost")
    with HostileTarget(answering(OK)) as target:
        outcome = send(target.url(host="localhost"), deny="127.0.0.1,::1")

    assert is_denied(outcome)
    assert 0 == target.connections


def test_a_kept_connection_is_not_judged_again() -> None:
    """What costs anything happens once per connection, never per request."""
    lookups: list[str] = []

    def lookup(host: str, port: int, *_: int) -> Sequence[AddrInfo]:
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    def script(talk: Talk) -> None:
        while talk.receive() is not None:
            talk.send(OK)

    sender = make_sender(egress_policy=EgressPolicy(allow=HostPatterns.parse("127.0.0.0/8")), resolver=Resolver(lookup))
    with HostileTarget(script) as target:
        outcomes = [sender.send(Post(target.url(host="kept.example"))).verdict for _ in range(5)]
    sender.close()

    assert ([Verdict.DELIVERED] * 5, ["kept.example"]) == (outcomes, lookups)

"""Where webhooks may go: by default, and as the two lists say."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from longshore.delivery import Denied, EgressPolicy, HostPatterns, InternalService
from longshore.delivery.metadata_services import METADATA_NAMES, SPECIAL_NETWORKS
from longshore.delivery.resolver import AddrInfo, Resolver
from tests.unit.delivery.test_host_patterns import SPELLINGS

REDIS = InternalService("Redis", "127.0.0.1", 6379)
BROKER = InternalService("Kafka broker", "kafka.internal", 9092)


def addrinfo(*texts: str, port: int = 80) -> Sequence[AddrInfo]:
    """What `getaddrinfo` would say."""
    return [
        (socket.AF_INET6 if ":" in text else socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in texts
    ]


def make_policy(
    allow: str = "", deny: str = "", internal_services: Sequence[InternalService] = (REDIS, BROKER)
) -> EgressPolicy:
    """A policy with these lists."""
    return EgressPolicy(HostPatterns.parse(allow), HostPatterns.parse(deny), internal_services)


def denial_of(egress_policy: EgressPolicy, host: str, *addresses: str, port: int = 80, kafka: str = "10.9.9.9") -> str:
    """Why `host`, which resolves to `addresses` (none: it is never looked up), may not be called; empty if it may."""

    def lookup(host: str, port: int, *_: int) -> Sequence[AddrInfo]:
        assert host in ("kafka.internal", "127.0.0.1")
        return addrinfo(kafka if host == "kafka.internal" else host, port=port)

    try:
        egress_policy.check_before_lookup(host, port)
        assert addresses, "would have to be looked up"
        egress_policy.filter_addresses(host, port, addrinfo(*addresses, port=port), Resolver(lookup), 1)
    except Denied as denial:
        return denial.cause
    return ""


def denial_by_proxy(egress_policy: EgressPolicy, host: str, port: int = 80) -> str:
    """Why a proxy may not be asked for `host`; empty if it may."""
    try:
        egress_policy.check_for_proxy(host, port)
    except Denied as denial:
        return denial.cause
    return ""


METADATA = [
    "fd00:ec2::253",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "::ffff:0:169.254.169.254",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
    "metadata%2egoogle.internal",
    "metadata.goog",
]


@pytest.mark.parametrize("host", [*METADATA, *SPELLINGS])
@pytest.mark.parametrize("ask", [denial_of, denial_by_proxy])
def test_metadata_and_link_local_are_denied_without_being_looked_up(host: str, ask: Callable[..., str]) -> None:
    """In every spelling, directly and through a proxy; and the setting that allows them is named."""
    cause = ask(make_policy(), host)

    assert cause.isprintable()
    assert "which no webhook may call" in cause
    assert "set WEBHOOK_ALLOW=*," in cause


def test_the_guide_lists_all_that_is_denied_by_default() -> None:
    """Nobody should have to find out by trying."""
    guide = (Path(__file__).parents[3] / "docs" / "how-to" / "outgoing-safety.md").read_text()
    networks = [network for network, _ in SPECIAL_NETWORKS]
    texts = [str(each.network_address if each.num_addresses == 1 else each) for each in networks]

    assert [] == [text for text in (*texts, *METADATA_NAMES) if f"`{text}`" not in guide]


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1%2", "64:ff9b::a9fe:a9fe"])
def test_a_name_that_resolves_to_metadata_is_denied(address: str) -> None:
    """The name does not matter; the cause shows both."""
    cause = denial_of(make_policy(), "hooks.example", address)

    assert "hooks.example:80 (at " in cause
    assert "link-local" in cause


@pytest.mark.parametrize("host", ["10.0.0.7", "127.0.0.1", "192.168.1.1", "fd00::1", "169.253.1.1", "100.100.100.201"])
def test_private_networks_are_what_this_program_is_for(host: str) -> None:
    """Nothing but what is listed is denied."""
    assert "" == denial_of(make_policy(), host, host)


def test_of_several_addresses_only_the_permitted_are_connected_to() -> None:
    """A name with a good and a bad address is not a way around."""
    reachable = make_policy().filter_addresses(
        "hooks.example", 80, addrinfo("169.254.169.254", "10.0.0.7"), Resolver(), 1
    )

    assert addrinfo("10.0.0.7") == reachable


def test_the_cause_says_what_to_set_and_setting_it_helps() -> None:
    """Word for word, for each thing that is denied by default."""
    for host, address, port in [
        ("169.254.169.254", "169.254.169.254", 80),
        ("2852039166", "169.254.169.254", 80),
        ("fd00:ec2::254", "fd00:ec2::254", 80),
        ("127.0.0.1", "127.0.0.1", 6379),
        ("kafka.internal", "10.9.9.9", 9092),
        ("other.example", "10.9.9.9", 9092),
    ]:
        cause = denial_of(make_policy(), host, address, port=port)
        setting = cause.partition("set WEBHOOK_ALLOW=")[2].partition(" ")[0]
        assert setting, cause
        assert "" == denial_of(make_policy(setting), host, address, port=port), setting
        assert "" == denial_of(make_policy(setting), "hooks.example", "10.0.0.7"), "the rest is still allowed"


@pytest.mark.parametrize("allow", ["*", "0.0.0.0/0", "::/0,0.0.0.0/0,*", "*.example", "hooks.example", "168.0.0.0/7"])
def test_a_wide_entry_does_not_open_what_is_denied_by_default(allow: str) -> None:
    """It was not written with metadata in mind, and a name may resolve to anything."""
    cause = denial_of(make_policy(allow), "hooks.example", "169.254.169.254")

    assert "add 169.254.169.254 to WEBHOOK_ALLOW" in cause


@pytest.mark.parametrize("allow", ["*,169.254.169.254", "169.254.0.0/16", "169.254.169.254:80"])
def test_an_entry_of_its_own_opens_it(allow: str) -> None:
    """The address, or the network as a whole."""
    assert "" == denial_of(make_policy(allow), "169.254.169.254", "169.254.169.254")


def test_a_name_of_a_metadata_service_can_be_opened_for_a_proxy() -> None:
    """Only the name is seen there."""
    assert "" == denial_by_proxy(make_policy("*,metadata.google.internal"), "metadata.google.internal")


@pytest.mark.parametrize(
    ("host", "addresses", "port"),
    [
        ("127.0.0.1", ["127.0.0.1"], 6379),
        ("localhost", ["127.0.0.1"], 6379),
        ("localhost", ["::1"], 6379),
        ("0.0.0.0", ["0.0.0.0"], 6379),
        ("::", ["::"], 6379),
        ("127.1", ["127.0.0.1"], 6379),
        ("pod-7.svc.example", ["127.0.0.1"], 6379),
        ("127.9.9.9", ["127.9.9.9"], 6379),
        ("0x7f000001", ["127.0.0.1"], 6379),
        ("::ffff:127.0.0.1", ["::ffff:127.0.0.1"], 6379),
        ("kafka.internal", ["10.9.9.9"], 9092),
        ("KAFKA.internal.", ["10.9.9.9"], 9092),
        ("10.9.9.9", ["10.9.9.9"], 9092),
        ("hooks.example", ["10.9.9.9"], 9092),
    ],
)
def test_our_own_services_are_denied_by_name_and_by_address(host: str, addresses: list[str], port: int) -> None:
    """Whatever name leads there, at their port."""
    cause = denial_of(make_policy(), host, *addresses, port=port)

    assert "is our own " in cause
    assert "WEBHOOK_ALLOW" in cause


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [("127.0.0.1", "127.0.0.1", 6380), ("kafka.internal", "10.9.9.9", 443), ("10.0.0.7", "10.0.0.7", 6379)],
)
def test_a_neighbour_of_our_own_services_may_be_called(host: str, address: str, port: int) -> None:
    """Another port of the same machine, or the same port of another machine."""
    assert "" == denial_of(make_policy(), host, address, port=port)


@pytest.mark.parametrize("allow", ["*", "127.0.0.0/8", "127.0.0.1", "*.internal,10.0.0.0/8", "*:6379,*:9092"])
def test_only_an_entry_with_its_port_opens_a_service_of_ours(allow: str) -> None:
    """Ours is in the same network as everything else that is meant to be called."""
    assert "is our own Redis" in denial_of(make_policy(allow), "127.0.0.1", "127.0.0.1", port=6379)
    assert "is our own Kafka" in denial_of(make_policy(allow), "kafka.internal", "10.9.9.9", port=9092)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "127.1",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:0:7f00:1",
        "localhost",
        "LOCALHOST.",
    ],
)
def test_a_proxy_on_this_machine_is_no_way_to_our_own_services(host: str) -> None:
    """Whatever spelling of loopback it is asked for; the name of this machine too."""
    assert "is our own Redis" in denial_by_proxy(make_policy(), host, 6379)
    assert "is our own Redis" in denial_by_proxy(make_policy(), socket.gethostname(), 6379)
    assert "" == denial_by_proxy(make_policy(), host, 6380)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9"])
def test_the_remedy_for_a_service_of_ours_helps_in_every_spelling(host: str) -> None:
    """The entry is the service's own place."""
    setting = denial_by_proxy(make_policy(), host, 6379).partition("set WEBHOOK_ALLOW=")[2].partition(" ")[0]

    assert "" == denial_by_proxy(make_policy(setting), host, 6379)


def test_the_last_known_address_of_a_service_holds_when_names_cannot_be_looked_up() -> None:
    """A name server that is away opens nothing."""

    def away(*_: object) -> Sequence[AddrInfo]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    ours = make_policy()
    assert "our own Kafka" in denial_of(ours, "10.9.9.9", "10.9.9.9", port=9092)
    with pytest.raises(Denied):
        ours.filter_addresses("10.9.9.9", 9092, addrinfo("10.9.9.9", port=9092), Resolver(away), 1)


def test_services_learned_later_are_denied_from_then_on() -> None:
    """Port names the brokers when ingest asks it."""
    learning = make_policy(internal_services=())
    before = denial_of(learning, "kafka.internal", "10.9.9.9", port=9092)
    learning.internal_services = (BROKER,)

    assert "" == before
    assert denial_of(learning, "kafka.internal", "10.9.9.9", port=9092)


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [("hooks.example", "10.0.0.7", 443), ("a.corp.example", "8.8.8.8", 80), ("other", "10.1.2.3", 8080)],
)
def test_with_an_allow_list_only_what_it_has_is_called(host: str, address: str, port: int) -> None:
    """By name or by address."""
    allow = "hooks.example:443,*.corp.example,10.1.0.0/16"

    assert "" == denial_of(make_policy(allow), host, address, port=port)
    assert "" == denial_of(make_policy(f"{allow},x.example"), host, address, port=port)


@pytest.mark.parametrize(("host", "address"), [("hooks.example", "10.0.0.7"), ("corp.example", "8.8.8.8")])
def test_with_an_allow_list_anything_else_is_refused(host: str, address: str) -> None:
    """And said which setting would allow it."""
    cause = denial_of(make_policy("hooks.example:443,*.corp.example,10.1.0.0/16"), host, address)

    assert f"{host}:80" in cause
    assert "is not in WEBHOOK_ALLOW" in cause


def test_a_list_of_names_needs_no_look_up_to_refuse() -> None:
    """The name server is not told what we would have called."""
    assert "is not in WEBHOOK_ALLOW" in denial_of(make_policy("hooks.example"), "elsewhere.example")


@pytest.mark.parametrize(
    ("deny", "host", "address"),
    [
        ("hooks.example", "hooks.example", "10.0.0.7"),
        ("*.example", "hooks.example", "10.0.0.7"),
        ("10.0.0.0/8", "hooks.example", "10.0.0.7"),
        ("127.0.0.0/8", "0.0.0.0", "0.0.0.0"),
        ("127.0.0.0/8", "hooks.example", "::ffff:127.0.0.1"),
        ("*:80", "hooks.example", "10.0.0.7"),
        ("*", "hooks.example", "10.0.0.7"),
    ],
)
def test_what_is_denied_is_not_called_whatever_is_allowed(deny: str, host: str, address: str) -> None:
    """By name before the name is looked up, by address after; the entry is named."""
    cause = denial_of(make_policy("*,hooks.example,10.0.0.7,127.0.0.1", deny), host, address)

    assert f"is denied by {deny} in WEBHOOK_DENY" in cause


@pytest.mark.parametrize("deny", ["hooks.example", "*.example", "10.0.0.0/8", "127.0.0.0/8", "*:80"])
def test_what_is_denied_holds_up_nothing_else(deny: str) -> None:
    """Another name, address and port."""
    assert "" == denial_of(make_policy(deny=deny), "good.test", "11.0.0.1", port=81)


def test_through_a_proxy_networks_say_nothing_about_names() -> None:
    """What the name resolves to is the proxy's business, so an allow list must have the name."""
    assert "is not in WEBHOOK_ALLOW" in denial_by_proxy(make_policy("10.0.0.0/8"), "hooks.example")
    assert "" == denial_by_proxy(make_policy("10.0.0.0/8"), "10.0.0.7")
    assert "" == denial_by_proxy(make_policy("hooks.example"), "hooks.example")
    assert "" == denial_by_proxy(make_policy(deny="10.0.0.0/8"), "hooks.example")
    assert "is our own Kafka broker" in denial_by_proxy(make_policy(), "kafka.internal", 9092)

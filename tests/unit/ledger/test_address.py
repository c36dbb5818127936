"""What an address of Redis means: decoded, the same for all who connect, and never shown in an error."""

import pytest

from longshore.ledger.address import Address, BadAddress, Login, parse
from longshore.network.tls import Tls


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost:6379/0", Address("tcp", (("localhost", 6379),))),
        ("redis://", Address("tcp", (("localhost", 6379),))),
        ("redis://[::1]:7000/3", Address("tcp", (("::1", 7000),), db=3)),
        ("redis://one?db=4", Address("tcp", (("one", 6379),), db=4)),
        ("redis://ann:p%40ss%2Fw0rd@one/2", Address("tcp", (("one", 6379),), db=2, redis=Login("ann", "p@ss/w0rd"))),
        ("redis://:a@b@one", Address("tcp", (("one", 6379),), redis=Login(None, "a@b"))),
        ("rediss://one", Address("tcp", (("one", 6379),), redis=Login(tls=Tls(None)))),
        ("unix:///run/my%20redis.sock?db=1", Address("unix", path="/run/my redis.sock", db=1)),
        ("unix://ann:p%2Fw@/run/r.sock", Address("unix", path="/run/r.sock", redis=Login("ann", "p/w"))),
        (
            "sentinel://:p%40ss@one;sentinel://two:7000/5",
            Address("sentinel", (("one", 26379), ("two", 7000)), db=5, redis=Login(None, "p@ss"), primary="mymaster"),
        ),
        ("sentinel://one/5;sentinel://u:p@two", Address(
            "sentinel", (("one", 26379), ("two", 26379)), db=5, redis=Login("u", "p"), primary="mymaster"
        )),
    ],
)  # fmt: skip
def test_an_address_is_read(url: str, address: Address) -> None:
    """User, password and path are percent-decoded in every kind."""
    assert address == parse(url)


def test_blanks_and_a_last_semicolon_between_sentinels_do_no_harm() -> None:
    """As people write lists."""
    assert parse("sentinel://one;sentinel://two/1") == parse("sentinel://one; sentinel://two/1;")


def test_what_the_sentinels_want_is_theirs_alone() -> None:
    """Their login and TLS are settings of their own, and so is TLS to the Redis behind them."""
    found = parse("sentinel://ann:redis-pw@one", "ours", sentinel_username="watch", sentinel_password="w", tls=True)

    assert (Login("ann", "redis-pw", Tls(None)), Login("watch", "w")) == (found.redis, found.sentinel)
    assert Tls(None) == parse("sentinel://one", sentinel_tls=True).sentinel.tls
    assert parse("sentinel://one", sentinel_tls=True).redis.tls is None


def test_a_password_beside_the_address_is_taken_as_it_is() -> None:
    """Where the address has none."""
    assert "p@ss/w0rd%41" == parse("redis://one", password="p@ss/w0rd%41").redis.password
    assert "own" == parse("redis://:own@one", password="other").redis.password


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        ("ssl_ca_certs=/ca.pem", Tls("/ca.pem")),
        ("ssl_cert_reqs=none", Tls(False)),
        ("ssl_cert_reqs=CERT_REQUIRED", Tls(None)),
        ("ssl_check_hostname=false", Tls(None, check_hostname=False)),
        ("ssl_certfile=/c.pem&ssl_keyfile=/k.pem", Tls(None, "/c.pem", "/k.pem")),
    ],
)
def test_options_of_tls_follow_the_address(options: str, tls: Tls) -> None:
    """As redis-py and Celery know them."""
    assert tls == parse(f"rediss://one/0?{options}").redis.tls


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel"])
@pytest.mark.parametrize("password", ["Zq@Xj/Vk", "Zq?Xj", "Zq#Xj", "Zq[Xj", "Zq:Xj/Vk", "Zq/Xj:Vk", "5/Xj", "Zq@7/Xj"])
def test_a_raw_password_that_breaks_the_address_is_refused_without_any_part_of_it(scheme: str, password: str) -> None:
    """The remedy says how to write it."""
    with pytest.raises(BadAddress) as refused:
        parse(f"{scheme}://:{password}@one:6379/0")

    assert "%40" in str(refused.value)
    assert not [part for part in ("Zq", "Xj", "Vk") if part.lower() in repr(refused.value).lower()]


@pytest.mark.parametrize(
    "url",
    [
        "http://one",
        "one:6379",
        "redis:one",
        "redis://one:0",
        "redis://one:x",
        "redis://one:70000",
        "redis://one/first",
        "redis://one;redis://two",
        "sentinel://one;redis://two",
        "sentinel://one;two",
        "sentinel://:a/b@one;sentinel://two/0",
        "unix://",
        "unix://host/path",
        "redis://one?ssl_ca_certs=/ca.pem",
        "rediss://one?ssl_cert_reqs=perhaps",
        "rediss://one?ssl_chek_hostname=false",
        "redis://one?socket_timeout=5",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """At the start, where it costs nothing."""
    with pytest.raises(BadAddress):
        parse(url)


def test_a_password_is_in_no_repr() -> None:
    """Of whatever holds one."""
    found = parse("sentinel://:redis-pw@one", sentinel_password="sentinel-pw")

    assert "-pw" not in repr(found)

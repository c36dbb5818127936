"""Lists of host patterns: what an entry matches, and what is said of one that makes no sense."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery import BadHostPattern, HostPatterns
from longshore.delivery.addresses import canonical, parse_any_spelling


@pytest.mark.parametrize(
    ("entry", "host", "port", "address"),
    [
        ("hooks.example.com", "hooks.example.com", 443, None),
        ("Hooks.Example.COM.", "hooks.example.com", 443, None),
        ("hooks.example.com:8443", "hooks.example.com", 8443, None),
        ("my_service", "my_service", 80, None),
        ("bücher.example", "xn--bcher-kva.example", 80, None),
        ("*.example.com", "a.example.com", 80, None),
        ("*.example.com:81", "a.b.example.com", 81, None),
        ("10.0.0.0/8", "any.example", 80, "10.1.2.3"),
        ("10.0.0.0/8:81", "any.example", 81, "10.1.2.3"),
        ("10.1.2.3", "any.example", 80, "10.1.2.3"),
        ("10.1.2.3:80", "any.example", 80, "10.1.2.3"),
        ("2001:db8::/32", "any.example", 80, "2001:db8::1"),
        ("2001:db8::1", "any.example", 80, "2001:db8::1"),
        ("[2001:db8::1]", "any.example", 80, "2001:db8::1"),
        ("[2001:db8::1]:81", "any.example", 81, "2001:db8::1"),
        ("[2001:db8::/32]:81", "any.example", 81, "2001:db8::7"),
        ("::ffff:10.0.0.0/104", "any.example", 80, "10.1.2.3"),
        ("0.0.0.0/0", "any.example", 80, "10.1.2.3"),
        ("*", "any.example", 80, "10.1.2.3"),
        ("*:80", "any.example", 80, None),
        (" , x.example ,, hooks.example.com,", "hooks.example.com", 1, None),
    ],
)
def test_an_entry_means_its_places(entry: str, host: str, port: int, address: str | None) -> None:
    """Names in any spelling, domains, networks and single addresses, each with a port or for all ports."""
    assert HostPatterns.parse(entry).find_match(host, port, ip_address(address) if address else None)


@pytest.mark.parametrize(
    ("entry", "host", "port", "address"),
    [
        ("example.com", "a.example.com", 80, None),
        ("example.com", "badexample.com", 80, None),
        ("*.example.com", "example.com", 80, None),
        ("*.example.com", "badexample.com", 80, None),
        ("example.com:81", "example.com", 80, None),
        ("10.0.0.0/8", "10.example", 80, None),
        ("10.0.0.0/8", "any.example", 80, "11.0.0.1"),
        ("10.0.0.0/8", "any.example", 80, "2001:db8::1"),
        ("10.0.0.0/8:81", "any.example", 80, "10.0.0.1"),
        ("2001:db8::/32", "any.example", 80, "10.0.0.1"),
        ("::/0", "any.example", 80, "10.0.0.1"),
        ("*:81", "any.example", 80, None),
        ("", "any.example", 80, None),
    ],
)
def test_an_entry_means_nothing_else(entry: str, host: str, port: int, address: str | None) -> None:
    """A domain is not the name itself, and a network is not judged by name."""
    assert HostPatterns.parse(entry).find_match(host, port, ip_address(address) if address else None) is None


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("10.0.0.1/8", "did you mean 10.0.0.0/8"),
        ("10.0.0.0/33", "no address or network"),
        ("10.0.0.256", "no address or network"),
        ("0x7f.1", "did you mean 127.0.0.1"),
        ("2852039166", "did you mean 169.254.169.254"),
        ("2001:db8::zz", "no address or network"),
        ("a.example:0", "a port that is none"),
        ("a.example:65536", "a port that is none"),
        ("a.example:http", "a port that is none"),
        ("a.example:", "a port that is none"),
        ("a b", "no host name"),
        ("a.*.example", "no host name"),
        ("*.", "no host name"),
        (".example.com", "no host name"),
        ("a..example", "no host name"),
        ("a.example/path", "no address or network"),
        ("a?b", "no host name"),
        ("a\\b", "no host name"),
        ("[a.example]:80", "no address or network"),
    ],
)
def test_an_entry_that_makes_no_sense_is_named(entry: str, words: str) -> None:
    """With what is wrong about it, and beside good ones."""
    with pytest.raises(BadHostPattern) as caught:
        HostPatterns.parse(f"good.example,{entry}")

    assert f'"{entry}"' in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("entry", ["https://ann:s3cret@a.example", "ann:s3cret@a.example", "https://a.example/s3cret"])
def test_a_url_is_not_quoted(entry: str) -> None:
    """It may hold a password."""
    with pytest.raises(BadHostPattern) as caught:
        HostPatterns.parse(entry)

    assert "s3cret" not in str(caught.value)
    assert "give the host alone" in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_a_list_or_a_named_problem(text: str) -> None:
    """Whatever an operator writes."""
    try:
        patterns = HostPatterns.parse(text)
    except BadHostPattern:
        return
    patterns.find_match("a.example", 80, ip_address("10.0.0.1"))


SPELLINGS = [
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0XA9FEA9FE",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "025177524776",
    "169.16689662",
    "169.254.43518",
    "::ffff:169.254.169.254",
    "[::ffff:a9fe:a9fe]",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "0:0:0:0:0:ffff:169.254.169.254",
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_every_spelling_of_an_address_is_that_address(host: str) -> None:
    """What the system's resolver takes, and IPv4 within IPv6."""
    assert ip_address("169.254.169.254") == parse_any_spelling(host)


@pytest.mark.parametrize(("text", "where"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("::ffff:0.0.0.0", "127.0.0.1")])
def test_any_address_is_this_machine(text: str, where: str) -> None:
    """So Linux connects."""
    assert ip_address(where) == canonical(ip_address(text))


@pytest.mark.parametrize("host", ["a.example", "1.example", "0x7f.example", "", "1e3", "1.2.3.4.5", "fe80", "½"])
def test_a_name_is_no_address(host: str) -> None:
    """Also one of digits and dots that is none."""
    assert parse_any_spelling(host) is None

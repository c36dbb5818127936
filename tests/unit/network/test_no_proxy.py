"""NO_PROXY: entries with URLs and ports hold, and all others mean what `requests` says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.utils import get_environ_proxies, select_proxy, should_bypass_proxies

from longshore.network.no_proxy import normalize_no_proxy, select_proxies

PROXY = "http://proxy.invalid:3128"
LABEL = st.sampled_from(["acme", "git", "google", "maps", "x", "internal"])
NAME = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
ADDRESS = st.tuples(*[st.sampled_from([1, 10, 127, 192, 255])] * 4).map(lambda parts: ".".join(map(str, parts)))
NETWORK = st.tuples(ADDRESS, st.integers(1, 32)).map(lambda both: f"{both[0]}/{both[1]}")
ENTRY = st.one_of(NAME, NAME.map(lambda name: f".{name}"), ADDRESS, NETWORK, st.just("*"), st.just(""), st.just(" "))
PORT = st.one_of(st.just(""), st.sampled_from([":80", ":443", ":8080"]))
URL = st.tuples(st.sampled_from(["http", "https"]), st.one_of(NAME, ADDRESS), PORT).map(
    lambda parts: f"{parts[0]}://{parts[1]}{parts[2]}/path"
)


def found_by_requests(url: str, no_proxy: str) -> tuple[bool, dict[str, str]]:
    """Whether `requests` goes past the proxy with this value of NO_PROXY, and what it finds in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            patch.delenv(name.lower(), raising=False)
            patch.delenv(name, raising=False)
        patch.setenv("ALL_PROXY", PROXY)
        patch.setenv("NO_PROXY", no_proxy)
        return should_bypass_proxies(url, None), get_environ_proxies(url)


def direct(url: str, no_proxy: str) -> bool:
    """Whether we call `url` without the proxy."""
    return not select_proxies(url, found_by_requests(url, normalize_no_proxy(no_proxy))[1])


@given(url=URL, entries=st.lists(ENTRY, max_size=4))
def test_plain_entries_mean_what_requests_says(url: str, entries: list[str]) -> None:
    """Hosts, domains, addresses and networks: neither more nor fewer go past the proxy."""
    no_proxy = ",".join(entries)
    bypasses, _ = found_by_requests(url, no_proxy)

    assert no_proxy == normalize_no_proxy(no_proxy)
    assert bypasses is direct(url, no_proxy)


@given(url=URL, entries=st.lists(ENTRY, max_size=4))
def test_a_url_in_the_list_goes_past_the_proxy_itself(url: str, entries: list[str]) -> None:
    """Whatever stands beside it."""
    assert direct(url, ",".join([*entries, url]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://127.0.0.1,google.com", "127.0.0.1,google.com"),
        ("google.com, https://ann:s3cret@H:8443/path?q#f", "google.com,h:8443"),
        ("http://[::1]:8080,http://[::1]", "::1:8080,::1"),
        ("plain, spaced", "plain, spaced"),
        ("http://,b", ",b"),
        ("http://[::1,http://h:port", "http://[::1,http://h:port"),
        ("", ""),
        ("*", "*"),
    ],
)
def test_urls_become_hosts(value: str, expected: str) -> None:
    """User, path and query go; what is no URL stays, and stops nothing."""
    assert expected == normalize_no_proxy(value)


@pytest.mark.parametrize(
    ("no_proxy", "url", "expected"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8081/", False),
        ("http://127.0.0.1:8080", "http://127.0.0.1/", False),
        ("127.0.0.1:80", "http://127.0.0.1/", True),
        ("https://git.acme.io:443", "https://git.acme.io/x", True),
        ("https://git.acme.io:443", "http://git.acme.io/x", False),
        ("https://acme.io:443", "https://git.acme.io/x", True),
        (".acme.io:443", "https://git.acme.io/x", True),
        ("me.io:443", "https://git.acme.io/x", False),
        ("GIT.acme.io:443", "https://git.acme.io/x", True),
        ("127.0.0.1:8080", "http://1.127.0.0.1:8080/", True),
        ("0.0.1:8080", "http://127.0.0.1:8080/", False),
        ("http://[::1]:8080", "http://[::1]:8080/", True),
        ("[::1]:8080", "http://[::1]:8080/", True),
        ("[::1]", "http://[0:0::1]:9/", True),
        ("[::1]:8080", "http://[::1]:9/", False),
        ("[oops", "http://[::1]:9/", False),
        (":80", "http://h/", False),
    ],
)
def test_a_port_counts(no_proxy: str, url: str, expected: bool) -> None:
    """The port that is called, also where the URL leaves it out."""
    assert expected is direct(url, no_proxy)


def test_the_proxy_is_that_of_the_scheme_else_the_one_for_all() -> None:
    """As in `requests`; no proxy at all is no proxy."""
    environment = {"https": "http://a.invalid", "all": "http://b.invalid", "no": "x"}

    assert {"https": "http://a.invalid"} == select_proxies("https://h/", environment)
    assert {"http": "http://b.invalid"} == select_proxies("http://h/", environment)
    assert {} == select_proxies("http://h/", {"no": "x"})
    assert "http://b.invalid" == select_proxy("http://h/", environment)


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("fd00::/8", "http://[fd12::1]:8080/x"),
        ("[fd00::]/8", "http://[fd12::1]/x"),
        ("0:0:0:0:0:0:0:1", "http://[::1]/x"),
        ("0.0.0.0/0", "http://10.1.2.3/x"),
        ("a.io git.acme.io", "http://git.acme.io/x"),
        ("a.io\n.acme.io\n", "http://git.acme.io/x"),
        ("http://a.io http://git.acme.io", "http://git.acme.io/x"),
        ("git.acme.io.", "http://git.acme.io/x"),
        ("git.acme.io", "http://git.acme.io./x"),
        ("GIT.Acme.io", "http://git.acme.io:8443/x"),
    ],
)
def test_entries_that_requests_misses_hold_too(no_proxy: str, url: str) -> None:
    """IPv6 networks and other spellings, spaces and line breaks between entries, dots at the end, upper case."""
    assert direct(url, no_proxy)
    assert not direct("http://elsewhere.example/x", no_proxy)
    assert not direct("http://[fe80::1]/x", no_proxy)

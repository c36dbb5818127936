"""What is wrong with proxies and NO_PROXY is said, with a remedy that works."""

import pytest

from longshore.network.no_proxy import select_proxies
from longshore.network.proxy_settings import find_problems


@pytest.mark.parametrize(
    ("entry", "remedy", "url"),
    [
        ("10.*", "10.0.0.0/8", "http://10.1.2.3/"),
        ("10.", "10.0.0.0/8", "http://10.1.2.3/"),
        ("192.168.*.*", "192.168.0.0/16", "http://192.168.7.1/"),
        ("192.168.7.*", "192.168.7.0/24", "http://192.168.7.1/"),
        ("*.corp", ".corp", "http://git.corp/"),
        ("git*.acme.io", ".acme.io", "http://git1.acme.io/"),
    ],
)
def test_what_matches_nothing_is_said_with_what_would_match(entry: str, remedy: str, url: str) -> None:
    """What is to be written in its place covers what was meant."""
    [(problem, advice)] = find_problems({"NO_PROXY": f"a.io,{entry}"})

    assert f"the entry {entry} of NO_PROXY matches nothing" in problem
    assert advice == f"Write {remedy}"
    assert not select_proxies(url, {"all": "http://proxy:3128", "no": remedy})


@pytest.mark.parametrize("entry", ["10.*.3", "*:8080", "acme.*", "10.0.0.0/33", "a|b", "*", "<local>", "::zz"])
def test_what_cannot_be_meant_is_said_too(entry: str) -> None:
    """A star counts only alone."""
    assert [f"the entry {entry} of NO_PROXY"] == [
        problem.partition(" matches")[0] for problem, _ in find_problems({"no_proxy": f"a.io,{entry}"})
    ]


@pytest.mark.parametrize(
    "value",
    ["*", "a.io, .b.io c_d.io", "10.1.2.3,10.0.0.0/8,fd00::/8,[::1]:8080,::1,[::1]", "http://[::1]:80,https://h:8443/x",
     "git.acme.io.:8443", "", "localhost,127.0.0.1"],
)  # fmt: skip
def test_what_means_something_is_left_alone(value: str) -> None:
    """Entries that hold, in all their spellings."""
    assert [] == list(find_problems({"NO_PROXY": value}))


@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy"])
@pytest.mark.parametrize("scheme", ["socks", "socks4a", "SOCKS4"])
def test_a_socks_proxy_of_another_version_is_named(name: str, scheme: str) -> None:
    """Without its password."""
    [(problem, remedy)] = find_problems({name: f"{scheme}://ann:hush@proxy:1080"})

    assert f"{name.upper()} is a SOCKS proxy" in problem
    assert "hush" not in problem
    assert "socks5h://host:port" in remedy


def test_a_login_that_a_socks_proxy_cannot_be_told_is_named() -> None:
    [(problem, remedy)] = find_problems({"ALL_PROXY": f"socks5h://ann:{'hush' * 32}@proxy:1080"})

    assert "ALL_PROXY has a user name or a password that is too long: socks5h://proxy:1080" == problem
    assert "127 bytes each are possible" == remedy


@pytest.mark.parametrize("proxy", ["socks5://ann:hush@proxy", "SOCKS5H://proxy:1080", "https://pacific.acme.io:8080"])
def test_a_proxy_that_can_be_used_is_left_alone(proxy: str) -> None:
    assert [] == list(find_problems({"ALL_PROXY": proxy}))


@pytest.mark.parametrize("proxy", ["http://wpad/wpad.dat", "https://acme.io/Proxy.PAC?x=1", "pac+http://acme.io/proxy"])
def test_a_pac_file_is_named(proxy: str) -> None:
    """It is a program that chooses a proxy, and nobody here runs it."""
    [(problem, remedy)] = find_problems({"HTTPS_PROXY": proxy})

    assert problem.startswith("HTTPS_PROXY names a PAC file, which is not read: ")
    assert remedy.endswith("as the file names it")

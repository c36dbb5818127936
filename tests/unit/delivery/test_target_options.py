"""How targets are called, by host pattern; and what is wrong with the file is said."""

import json

import pytest

from longshore.delivery.host_table import BadHostTable
from longshore.delivery.target_options import TargetOptions, parse_targets
from longshore.invocation.tls_section import TlsOptions

TABLE = parse_targets(
    json.dumps(
        {
            "*.internal": {"tls": {"certificate": "/c/tls.crt", "key": "/c/tls.key", "ca": "/c/ca.crt"}},
            "10.0.0.0/8": {"tls": {"verify": False}},
            "https://git.internal": {},
        }
    ).encode()
)


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("https://a.internal:443", TargetOptions(TlsOptions("/c/tls.crt", "/c/tls.key", "", "/c/ca.crt"))),
        ("https://10.1.1.1:8443", TargetOptions(TlsOptions(verify=False))),
        ("https://git.internal:443", TargetOptions()),
        ("https://elsewhere:443", None),
    ],
)
def test_the_narrowest_pattern_counts(target: str, options: TargetOptions | None) -> None:
    """What it leaves out is left to the settings."""
    assert options == TABLE.find(target)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"a": {}, "a": {"tls": {}}}', "has a host pattern twice"),
        ('{"a.io": {}, "A.io": {"tls": {}}}', "'A.io' is there twice, in another spelling"),
        ('{"https://a": {}, "https://A:443/": {}}', "'https://A:443/' is there twice, in another spelling"),
    ],
)
def test_two_entries_of_one_pattern_are_one_too_many(content: str, problem: str) -> None:
    """One of them would count for nothing, without a word."""
    with pytest.raises(BadHostTable, match=problem):
        parse_targets(content.encode())


def test_all_that_is_wrong_is_named() -> None:
    """Each with its place."""
    content = {
        "a": {"tsl": {}},
        "b": {"tls": {"certificat": "/c", "verify": "no"}},
        "c": {"tls": {"key": "/k"}},
        "d": {"tls": {"ca": "/c", "verify": False}},
        "e": {"tls": 1},
        "f": {"tls": {"certificate": ""}},
        "g,h": {},
    }
    with pytest.raises(BadHostTable) as error:
        parse_targets(json.dumps(content).encode())

    assert [
        "'a' has the unknown key 'tsl'; did you mean 'tls'?",
        "'b' tls has the unknown key 'certificat'; did you mean 'certificate'?; verify is a text, not true or false",
        "'c' tls has a key without a certificate: name the certificate, too",
        "'d' tls has both ca and verify: false: with the second, the first is never asked",
        "'e' tls is a number, not an object",
        "'f' tls certificate is no path of a file",
        "'g,h': \"g,h\" is no single host pattern; give e.g. *.internal, deployer:8080, 10.0.0.0/8 or a target",
    ] == error.value.problems

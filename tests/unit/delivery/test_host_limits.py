"""Limits by host pattern: the narrowest that fits counts, and what is wrong with the file is said."""

import json

import pytest

from longshore.delivery.host_limits import HostLimits
from longshore.delivery.host_table import BadHostTable
from longshore.invocation.delivery_options import DeliveryOptions

LIMITS = HostLimits.parse(
    json.dumps(
        {
            "*": {"rate": 1},
            "*.internal": {"rate": 2},
            "*.deep.internal": {"rate": 3},
            "a.internal": {"rate": 4, "concurrency": 9},
            "a.internal:8080": {"rate": 5},
            "https://a.internal": {"rate": 6},
            "10.0.0.0/8": {"rate": 7},
            "10.1.0.0/16": {"rate": 8},
            "[2001:db8::1]:80": {"rate": 0},
        }
    ).encode()
)


@pytest.mark.parametrize(
    ("target", "rate"),
    [
        ("http://elsewhere:80", 1),
        ("http://internal:80", 1),
        ("http://b.internal:80", 2),
        ("http://x.deep.internal:80", 3),
        ("http://a.internal:80", 4),
        ("http://a.internal.:80", 4),
        ("http://a.internal:8080", 5),
        ("https://a.internal:443", 6),
        ("http://10.2.0.1:80", 7),
        ("http://10.1.0.1:80", 8),
        ("http://[2001:db8::1]:80", 0),
        ("deployer", None),
        ("-", None),
    ],
)
def test_the_narrowest_pattern_counts(target: str, rate: float | None) -> None:
    """Of a target with a name of its own only the mapping speaks."""
    assert rate == LIMITS.for_target(target).rate


def test_patterns_do_not_add_up() -> None:
    """What the narrowest leaves out is left to the settings, not to the next one."""
    assert DeliveryOptions(rate=4, concurrency=9) == LIMITS.for_target("http://a.internal:80")
    assert DeliveryOptions(rate=5) == LIMITS.for_target("http://a.internal:8080")


def test_without_a_file_nothing_is_said() -> None:
    """And it costs nothing to ask."""
    assert (False, DeliveryOptions()) == (bool(HostLimits()), HostLimits().for_target("http://a:80"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "is not UTF-8"),
        (b"{", "is not JSON"),
        (b"[]", "is not an object of host patterns"),
        (b'{"a": {"raet": 1}}', "'a': unknown key 'raet'; did you mean 'rate'?"),
        (b'{"a": {"timeout": 1}}', "'a': unknown key 'timeout'; known are rate, concurrency"),
        (b'{"a": {"concurrency": 0}}', "'a', concurrency is 0; give a whole number from 1 to 1000000"),
        (b'{"a": 5}', "'a' is a number, not an object"),
        (b'{"a,b": {}}', "'a,b': \"a,b\" is no single host pattern; give e.g. *.internal, deployer:8080"),
        (b'{"http://": {}}', "'http://': the URL has no usable host or port"),
        (b'{"a b": {}}', "'a b': \"a b\" is no host name"),
    ],
)
def test_what_is_wrong_is_named(content: bytes, problem: str) -> None:
    """With the pattern and the key."""
    with pytest.raises(BadHostTable) as error:
        HostLimits.parse(content)
    assert str(error.value).startswith(problem)

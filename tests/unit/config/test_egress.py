"""Where webhooks may go, as the settings say it."""

import pytest

from config.egress import build_egress_policy, collect_internal_services
from config.settings import load
from longshore.delivery import Denied, InternalService
from longshore.errors import ConfigProblems

LEAST = {
    "PORT_ORG_ID": "org",
    "PORT_CLIENT_ID": "client",
    "PORT_CLIENT_SECRET": "s3cret-value",
    "KAFKA_CONSUMER_GROUP_ID": "org.agent",
    "REDIS_URL": "redis://:hush@redis.internal:6380/0",
}


def problem(**environ: str) -> str:
    """What `longshore config check` would say."""
    with pytest.raises(ConfigProblems) as caught:
        load({**LEAST, **environ})
    return str(caught.value)


@pytest.mark.parametrize("name", ["WEBHOOK_ALLOW", "WEBHOOK_DENY"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a.example, 10.0.0.1/8", '"10.0.0.1/8" has bits set beyond its length; did you mean 10.0.0.0/8?'),
        ("a.example,http://b.example/", "give the host alone"),
        ("a.example:99999", '"a.example:99999" has a port that is none'),
        ("a*.example", '"a*.example" is no host name'),
    ],
)
def test_a_list_that_makes_no_sense_stops_the_start_and_names_the_entry(name: str, value: str, words: str) -> None:
    """A list that is half understood protects nothing."""
    text = problem(**{name: value})

    assert name in text
    assert words in text


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "X-Port-Signature", "Authorization", "Connection"]
)
def test_the_idempotency_header_is_none_that_means_something_else(name: str) -> None:
    """Every request would be refused, or no longer be signed."""
    assert "IDEMPOTENCY_HEADER" in problem(IDEMPOTENCY_HEADER=name)


@pytest.mark.parametrize("name", ["X Y", "X:", "X\r\nY", "Ü"])
def test_the_idempotency_header_is_the_name_of_a_header(name: str) -> None:
    """Said at start, not with each delivery."""
    assert "is not the name of an HTTP header" in problem(IDEMPOTENCY_HEADER=name)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("redis://localhost/0", [InternalService("Redis", "localhost", 6379)]),
        ("rediss://ann:hush@Redis.internal:6380/1", [InternalService("Redis", "redis.internal", 6380)]),
        ("redis://[::1]:6379", [InternalService("Redis", "::1", 6379)]),
        ("unix:///run/redis.sock", []),
        ("", []),
        (
            "sentinel://:hush@a;sentinel://b:26380/0",
            [InternalService("Redis sentinel", "a", 26379), InternalService("Redis sentinel", "b", 26380)],
        ),
    ],
)
def test_redis_is_our_own_wherever_its_address_says(url: str, own: list[InternalService]) -> None:
    """Host and port, never the password."""
    assert own == list(collect_internal_services(load({**LEAST, "REDIS_URL": url, "FLOWER_PORT": "0"}), []))


def test_brokers_are_our_own_in_all_spellings_of_librdkafka() -> None:
    """With a protocol, without a port, with white space."""
    brokers = ["a:9092", " SASL_SSL://b:9196", "c", "[::1]:9092", "", "d:x"]
    found = collect_internal_services(load({**LEAST, "REDIS_URL": "unix:///s", "FLOWER_PORT": "0"}), brokers)

    assert [("a", 9092), ("b", 9196), ("c", 9092), ("::1", 9092)] == [(each.host, each.port) for each in found]


@pytest.mark.parametrize(
    ("environ", "own"),
    [
        ({}, [("Flower", "127.0.0.1", 5555)]),
        ({"METRICS_PORT": "9464"}, [("metrics page", "127.0.0.1", 9464), ("Flower", "127.0.0.1", 5555)]),
        (
            {"METRICS_PORT": "1", "METRICS_ADDRESS": "10.0.0.5", "FLOWER_PORT": "2", "FLOWER_ADDRESS": "::"},
            [("metrics page", "10.0.0.5", 1), ("Flower", "127.0.0.1", 2)],
        ),
    ],
)
def test_pages_of_ours_are_our_own(environ: dict[str, str], own: list[tuple[str, str, int]]) -> None:
    """They show what payloads said, and Flower lets people requeue."""
    assert own == [
        tuple(each) for each in collect_internal_services(load({**LEAST, "REDIS_URL": "unix:///s", **environ}), [])
    ]


def test_the_settings_become_an_egress_policy() -> None:
    """Lists, Redis and local brokers."""
    egress_policy = build_egress_policy(
        load(
            {
                **LEAST,
                "WEBHOOK_ALLOW": "*.example",
                "WEBHOOK_DENY": "b.example",
                "USING_LOCAL_PORT_INSTANCE": "true",
                "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": "kafka.example:9092",
            }
        )
    )
    egress_policy.check_before_lookup("a.example", 443)
    for host, port in [("b.example", 443), ("c.test", 443), ("redis.internal", 6380), ("kafka.example", 9092)]:
        with pytest.raises(Denied):
            egress_policy.check_before_lookup(host, port)

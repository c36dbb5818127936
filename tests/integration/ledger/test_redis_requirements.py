"""A Redis that would lose invocations is refused with the remedy; one that only might is told."""

from collections.abc import Iterator

import pytest
import redis

from longshore.errors import ConfigError, StoreUnavailable
from longshore.ledger.connection import connect
from longshore.ledger.redis_requirements import check_requirements
from longshore.runtime.embedded_redis import EmbeddedRedis


@pytest.fixture
def own(redis_server: EmbeddedRedis) -> Iterator["redis.Redis"]:
    """A client of a Redis that the test may configure as it likes."""
    with connect(redis_server.url) as client:
        yield client


def test_a_durable_redis_that_evicts_nothing_is_fit(own: "redis.Redis") -> None:
    """No word about it."""
    assert [] == check_requirements(own)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_redis_that_evicts_is_refused_with_the_remedy(own: "redis.Redis", policy: str) -> None:
    """Also one that evicts only what expires: by that, repeats are known."""
    own.config_set("maxmemory-policy", policy)

    with pytest.raises(ConfigError, match="noeviction") as refused:
        check_requirements(own)
    assert policy in refused.value.problem


@pytest.mark.parametrize("forbidden", ["config", "info"])
def test_a_redis_that_hides_one_of_both_still_shows_what_it_evicts(
    redis_server: EmbeddedRedis, own: "redis.Redis", forbidden: str
) -> None:
    """Hosted ones do: CONFIG and INFO tell the same."""
    own.config_set("maxmemory-policy", "allkeys-lru")
    own.acl_setuser("agent", enabled=True, nopass=True, keys="*", commands=["+@all", f"-{forbidden}"])

    with connect(redis_server.url.replace("//", "//agent:any@")) as client, pytest.raises(ConfigError, match="evicts"):
        check_requirements(client)


def test_a_redis_that_hides_everything_is_taken_with_a_word(redis_server: EmbeddedRedis, own: "redis.Redis") -> None:
    """Nobody would be helped by a program that does not start."""
    own.acl_setuser("agent", enabled=True, nopass=True, keys="*", commands=["+@all", "-config", "-info"])

    with connect(redis_server.url.replace("//", "//agent:any@")) as client:
        (advice,) = check_requirements(client)
    assert "noeviction" in advice


@pytest.mark.parametrize(("save", "lost"), [("", "not in Kafka"), ("3600 1", "last snapshot")])
def test_a_redis_without_an_append_only_file_is_taken_with_a_warning(own: "redis.Redis", save: str, lost: str) -> None:
    """It says what would be lost."""
    own.config_set("appendonly", "no")
    own.config_set("save", save)

    (advice,) = check_requirements(own)
    assert lost in advice


def test_a_replica_is_waited_for(own: "redis.Redis") -> None:
    """In the middle of a failover; it may be the primary in a second."""
    own.slaveof("127.0.0.1", 1)

    with pytest.raises(StoreUnavailable, match="replica"):
        check_requirements(own)


class OldRedis:
    """Answers like a Redis of an earlier time."""

    def __init__(self, **info: object) -> None:
        self._info = info

    def info(self) -> dict[str, object]:
        return self._info

    def config_get(self, name: str) -> dict[str, str]:
        return {name: "noeviction"}


@pytest.mark.parametrize(
    ("info", "word"),
    [
        ({"redis_version": "6.0.16"}, "6.2"),
        ({"redis_version": "5.0.7"}, "6.2"),
        ({"redis_version": "7.2.4", "redis_mode": "cluster"}, "Sentinel"),
    ],
)
def test_what_cannot_run_the_scripts_or_celery_is_refused(info: dict[str, object], word: str) -> None:
    """With the remedy."""
    with pytest.raises(ConfigError) as refused:
        check_requirements(OldRedis(**info))  # type: ignore[arg-type]
    assert word in refused.value.remedy


@pytest.mark.parametrize("version", ["6.2.0", "7.0.15", "8.2", "255.255.255"])
def test_every_later_version_will_do(version: str) -> None:
    """Unstable builds of Redis call themselves 255."""
    assert [] == check_requirements(OldRedis(redis_version=version))  # type: ignore[arg-type]

"""Connections that stay open and lead nowhere: to a primary that was, and into a network that forgot them."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from ingest.kafka.offsets import TrailingOffsets
from ingest.kafka.replicas import Replicas
from longshore.errors import StoreUnavailable
from longshore.ledger.connection import connect, reaching_store
from longshore.ledger.failover import says_demoted
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.redis_requirements import check_requirements
from longshore.runtime.embedded_redis import HOST, EmbeddedRedis
from tests.integration.ledger.conftest import entry, span
from tests.support.line import Line
from tests.support.programs import eventually
from tests.support.relays import Pair

SCRIPT_OF_6_2 = "Error running script (call to f_3c67): @user_script:1: @user_script: 1: -"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with EmbeddedRedis(tmp_path / "a") as first, EmbeddedRedis(tmp_path / "b") as second, Pair(first, second) as pair:
        yield pair


@pytest.fixture
def client(pair: Pair) -> Iterator["redis.Redis"]:
    with connect(pair.url) as client:
        yield client


def test_a_ledger_goes_to_the_new_primary(pair: Pair, client: "redis.Redis") -> None:
    """One call fails, the next one is answered, whichever connection of the process it takes."""
    ledger = Ledger(client, Keys.of("org/agent"), Limits())
    ledger.accept([span(0, 1)], [entry("r_1")], 0)

    pair.fail_over()
    with pytest.raises(StoreUnavailable):
        ledger.pump()

    ledger.accept([span(1, 2)], [entry("r_2", offset=1)], 0)
    assert [True, True] == ledger.exist(["r_1", "r_2"])
    assert pair.primary.exists(ledger.keys.invocation("r_2"))


def test_who_only_reads_or_listens_goes_along(pair: Pair, client: "redis.Redis") -> None:
    """They get no error by which they would find out themselves."""
    heard = threading.Event()
    with connect(pair.url) as reader, connect(pair.url) as other, other.pubsub() as listener:
        client.set("a", "1")
        reader.get("a")
        listener.subscribe("news")
        waiting = threading.Thread(target=lambda: _until_lost(listener, heard), daemon=True)
        waiting.start()

        pair.fail_over()
        with pytest.raises(redis.exceptions.ReadOnlyError):
            client.set("a", "2")

        client.set("a", "3")
        assert b"3" == reader.get("a")
        assert heard.wait(30)
        waiting.join()


def _until_lost(listener: "redis.client.PubSub", heard: threading.Event) -> None:
    try:
        while True:
            listener.get_message(timeout=None)  # type: ignore[arg-type]
    except redis.ConnectionError:
        heard.set()


def test_a_pipeline_is_refused_as_ever(pair: Pair, client: "redis.Redis") -> None:
    """Its connection goes after the last answer, not while more are on their way."""
    client.ping()
    pair.fail_over()
    refused = (redis.exceptions.ReadOnlyError, redis.ConnectionError)
    with client.pipeline(transaction=False) as pipe:
        for name in "abc":
            pipe.set(name, "1")
        with pytest.raises(refused):
            pipe.execute()

    with client.pipeline(transaction=False) as pipe:
        pipe.set("a", "1")
        assert [True] == pipe.execute()


def test_one_that_waited_for_its_turn_does_not_close_the_new_connections(pair: Pair) -> None:
    """A late word from the old primary concerns the old connections alone."""
    with connect(pair.url) as one, connect(pair.url) as two:
        two.ping()
        late = one.connection_pool.get_connection()
        late.send_command("PING")
        assert late.read_response() == b"PONG"
        pair.fail_over()
        late.send_command("SET", "a", "1")
        eventually(lambda: late.can_read(1), "the old primary has refused it")
        with pytest.raises(redis.exceptions.ReadOnlyError):
            _kept(two, "SET", "a", "1")
        new = two.connection_pool.get_connection()
        with pytest.raises(redis.exceptions.ReadOnlyError):
            late.read_response()
        new.send_command("SET", "a", "1")
        assert new.read_response() == b"OK"


def _kept(client: "redis.Redis", *command: str) -> object:
    return client.execute_command(*command)  # type: ignore[no-untyped-call]


def test_a_network_that_forgot_its_connections_costs_one_timeout(redis_server: EmbeddedRedis) -> None:
    """All that lead into it go with the first that gets no answer: one by one they would cost a timeout each."""
    with Line(redis_server.port) as line, connect(f"redis://{HOST}:{line.port}/0", timeout_s=1) as client:
        pool = client.connection_pool
        before = [pool.get_connection() for _ in range(4)]
        for each in before:
            assert b"PONG" == asked(each, "PING")
        *idle, used = before
        for each in idle:
            pool.release(each)
        with line.half_open(), pytest.raises(redis.TimeoutError):
            asked(used, "PING")
        pool.release(used)

        for each in [pool.get_connection() for _ in range(4)]:
            assert b"PONG" == asked(each, "PING")


def test_one_that_may_take_longer_to_answer_is_left_alone(redis_server: EmbeddedRedis) -> None:
    """That one gets no answer in its time says nothing of another that has more of it."""
    with connect(redis_server.url, timeout_s=0.2) as hasty, connect(redis_server.url, timeout_s=60) as patient:
        kept = patient.connection_pool.get_connection()
        mine = asked(kept, "CLIENT", "ID")
        with pytest.raises(redis.TimeoutError):
            asked(hasty.connection_pool.get_connection(), "BLPOP", "nothing", "1")

        assert mine == asked(kept, "CLIENT", "ID")


def asked(connection: Any, *command: str) -> Any:
    """What Redis answers by this connection."""
    connection.send_command(*command)
    return connection.read_response()


def test_a_program_that_starts_meanwhile_does_not_wait_at_the_old_primary(pair: Pair, client: "redis.Redis") -> None:
    """What it found to be a replica it asks no second time."""
    client.ping()
    pair.fail_over()
    with pytest.raises(StoreUnavailable, match="replica"):
        check_requirements(client)

    check_requirements(client)


def test_asking_a_demoted_primary_about_its_replicas_is_an_outage(pair: Pair, client: "redis.Redis") -> None:
    """WAIT is refused there with an error of its own, also where nothing was written since."""
    ledger = Ledger(client, Keys.of("org/agent"), Limits())
    assert ledger.is_replicated(0, 10)
    pair.fail_over()
    with pytest.raises(StoreUnavailable):
        ledger.is_replicated(1, 10)

    assert ledger.is_replicated(0, 10)


def test_commits_go_on_after_a_failover(pair: Pair, client: "redis.Redis") -> None:
    """Whoever watches the replicas outlives what a demoted primary answers to WAIT."""
    ledger = Ledger(client, Keys.of("org/agent"), Limits())
    assert ledger.is_replicated(0, 10)
    pair.fail_over()
    offsets = TrailingOffsets(0, replicated=True)
    offsets.on_stored(("org.runs", 0), 1, 7, "ledger")

    replicas = Replicas(ledger, 0, offsets)
    replicas.start()
    eventually(lambda: offsets.committable({("org.runs", 0): 1}), "what is stored may be committed")
    replicas.stop()


@pytest.mark.parametrize(
    "words",
    [
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        "NOREPLICAS Not enough good replicas to write. script: 3c67, on @user_script:1.",
        SCRIPT_OF_6_2 + "READONLY You can't write against a read only replica.",
        SCRIPT_OF_6_2 + "NOREPLICAS Not enough good replicas to write.",
        "WAIT cannot be used with replica instances. Please also note that since Redis 4.0 ...",
    ],
)
def test_the_words_of_all_versions_are_known(words: str) -> None:
    """In commands, and in the errors of scripts as Redis 6.2, 7 and 8 write them."""
    error = redis.exceptions.ResponseError(words)

    assert says_demoted(error)
    with pytest.raises(StoreUnavailable), reaching_store():
        raise error


@pytest.mark.parametrize("words", ["OOM command not allowed", "NOSCRIPT No matching script", "the word READONLY_ROLE"])
def test_other_refusals_are_no_failover(words: str) -> None:
    """Nothing is gained by another connection."""
    assert not says_demoted(redis.exceptions.ResponseError(words))


@pytest.mark.parametrize("rule", [["+@all", "-evalsha"], ["+@all", "-hget", "-hmget", "-zadd"], ["+@all", "-wait"]])
def test_a_user_without_the_rights_is_an_outage(redis_server: EmbeddedRedis, rule: list[str]) -> None:
    """Until somebody gives them; no thread may end of it. Redis 6.2 says it in words of its own inside scripts."""
    with redis.Redis.from_url(redis_server.url) as admin:
        admin.acl_setuser("agent", enabled=True, nopass=True, keys="*", commands=rule)
        with connect(redis_server.url.replace("//", "//agent:any@")) as client:
            ledger = Ledger(client, Keys.of("org/agent"), Limits())
            with pytest.raises(StoreUnavailable, match=f"{HOST}|permission|can't run this"):
                ledger.is_replicated(0, 1) if "-wait" in rule else ledger.accept([span(0, 1)], [entry("r_1")], 0)
            admin.acl_setuser("agent", commands=["+@all"])

            ledger.accept([span(0, 1)], [entry("r_1")], 0)

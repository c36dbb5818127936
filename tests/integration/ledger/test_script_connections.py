"""Script calls over connections that are kept: what becomes of them when Redis or a call fails."""

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from longshore.ledger.connection import connect
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.script_connections import ScriptConnections, connections_of
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.programs import eventually


def connections(client: "redis.Redis") -> int:
    """How many clients the server has, this one's own included."""
    return len(client.client_list())


def test_answers_of_threads_are_not_mixed_up(redis_server: EmbeddedRedis) -> None:
    """Every thread gets the answer to its own call, however they share connections."""
    calls = ScriptConnections(connect(redis_server.url))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: calls.run("ECHO", str(n)), range(2_000)))

    assert [str(n).encode() for n in range(2_000)] == answers


def test_one_caller_needs_one_connection(redis_server: EmbeddedRedis) -> None:
    """Calls one after the other, those that Redis refuses among them, share one connection."""
    watcher = redis.Redis.from_url(redis_server.url)
    before = connections(watcher)
    calls = ScriptConnections(connect(redis_server.url))

    for _ in range(10):
        calls.run("PING")
        with pytest.raises(redis.exceptions.NoScriptError):
            calls.run("EVALSHA", "0" * 40, 0)

    assert before + 1 == connections(watcher)


def test_ledgers_of_one_client_share_its_connections(redis_server: EmbeddedRedis) -> None:
    """However many there are, and though none is ever told that it is not needed any more."""
    client = connect(redis_server.url, connections=2)

    ledgers = [Ledger(client, Keys.of("org/agent"), Limits()) for _ in range(10)]
    for ledger in ledgers:
        ledger.pump()
        ledger.backlog()

    assert connections(client) <= 2


def test_a_client_that_is_gone_takes_its_connections_with_it(redis_server: EmbeddedRedis) -> None:
    """Nothing here keeps it."""
    watcher = redis.Redis.from_url(redis_server.url)
    before = connections(watcher)

    for _ in range(10):
        client = connect(redis_server.url)
        connections_of(client).run("PING")
        del client
    gc.collect()

    eventually(lambda: connections(watcher) == before, "all are closed")


def test_many_calls_at_once_leave_connections_to_the_others(redis_server: EmbeddedRedis) -> None:
    """When it is over, as many as before can use the client itself."""
    most = 8
    client = connect(redis_server.url, connections=most)
    calls = connections_of(client)

    with ThreadPoolExecutor(most) as pool:
        together = threading.Barrier(most)
        list(pool.map(lambda _: (together.wait(), calls.run("BLPOP", "nothing", "0.2")), range(most)))

    others = [client.connection_pool.get_connection() for _ in range(most // 2)]
    assert most // 2 == len({id(other) for other in others})


def test_a_restarted_redis_costs_one_call_at_most(redis_server: EmbeddedRedis) -> None:
    """A connection that died while it was idle fails the call that trusted it; the next one has a new connection."""
    calls = ScriptConnections(connect(redis_server.url))
    calls.run("PING")
    redis_server.kill()
    redis_server.start()

    try:
        calls.run("PING")
    except redis.ConnectionError:
        pass  # it was used a moment ago, so nobody looked whether it is alive

    assert calls.run("PING") in (b"PONG", True)


def test_an_answer_that_was_given_up_reaches_nobody(redis_server: EmbeddedRedis) -> None:
    """After a timeout the answer may still come; it must not become that of the next call."""
    client = redis.Redis.from_url(redis_server.url, socket_timeout=0.2)
    calls = ScriptConnections(client)
    with pytest.raises(redis.TimeoutError):
        calls.run("BLPOP", "nothing", 1)

    assert b"mine" == calls.run("ECHO", "mine")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(redis_server: EmbeddedRedis) -> None:
    """Two processes on one connection would read each other's answers."""
    calls = ScriptConnections(connect(redis_server.url))
    mine = calls.run("CLIENT", "ID")
    reading, writing = os.pipe()

    if (child := os.fork()) == 0:
        os.write(writing, str(calls.run("CLIENT", "ID")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = int(os.read(reading, 100))
    os.close(reading)
    os.close(writing)

    assert mine != theirs
    assert mine == calls.run("CLIENT", "ID")

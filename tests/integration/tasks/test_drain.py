"""The end of a worker whose Redis was away when the answer came."""

import threading
from collections.abc import Sequence

import pytest
import redis

from longshore.errors import StoreUnavailable
from longshore.ledger.connection import connect
from longshore.runtime.embedded_redis import EmbeddedRedis
from tasks.worker.drain import Drain
from tests.support.hostile import OK, HostileTarget, Talk, answering
from tests.support.one_attempt import AttemptHarness, attempt_harness
from tests.support.programs import eventually


def drain_of(stage: AttemptHarness, grace_s: float = 0) -> Drain:
    """One without any grace, or with this."""
    return Drain(stage.shutdown, stage.ledger, stage.results, stage.in_flight, grace_s, lambda: None, lambda: None)


def test_a_drain_stores_the_answer_that_waits_for_redis(
    redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known is known: the run is done, not unknown, whoever of the two comes first when Redis is back."""
    monkeypatch.setattr("tasks.worker.store_retry._PAUSES_S", (3600,))  # so that it is the drain
    exit_called = threading.Event()
    monkeypatch.setattr("tasks.worker.drain.os._exit", lambda code: exit_called.set())

    def script(talk: Talk) -> None:
        talk.receive()
        redis_server.kill()
        talk.send(OK)

    with connect(redis_server.url) as client, attempt_harness(client) as stage, HostileTarget(script) as target:
        id = stage.accept(target.url())
        stage.receive()
        in_flight = stage.in_flight
        eventually(lambda: in_flight.all() and in_flight.find_store(in_flight.all()[0]), "an answer to store")
        redis_server.start()
        drain_of(stage).start()

        assert exit_called.wait(30)
        assert ("done", "200") == (stage.record(id, "state"), stage.record(id, "status"))


def test_a_drain_stores_an_answer_of_which_the_report_is_still_being_made(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is known; the rest is told in the run's log as missing."""
    exit_called, reporting = threading.Event(), threading.Event()
    monkeypatch.setattr("tasks.worker.drain.os._exit", lambda code: exit_called.set())

    with attempt_harness(redis_client) as stage, HostileTarget(answering(OK)) as target:

        def slow(*_: object) -> None:
            reporting.set()
            exit_called.wait(30)

        monkeypatch.setattr(stage.mapping, "report", slow)
        id = stage.accept(target.url())
        (claim,) = stage.receive()
        assert reporting.wait(30)
        drain_of(stage).start()

        assert exit_called.wait(30)
        claim.wait()
        assert ("done", "200") == (stage.record(id, "state"), stage.record(id, "status"))
        assert {"status": "SUCCESS"} == stage.pending_reports(id)[-1].body
        assert "the worker had to stop" in stage.log(id)


def test_a_drain_waits_for_what_begins_while_it_looks(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has it as begun, and the worker does not know yet: it would be unknown, though never sent."""
    with attempt_harness(redis_client) as stage, HostileTarget(answering(OK)) as target:
        begin, asked, go = stage.ledger.begin, threading.Event(), threading.Event()

        def begin_slowly(pairs: Sequence[tuple[str, int]]) -> object:
            answers = begin(pairs)
            asked.set()
            assert go.wait(30)
            return answers

        monkeypatch.setattr(stage.ledger, "begin", begin_slowly)
        id = stage.accept(target.url())
        stage.receive()
        assert asked.wait(30)
        drain = drain_of(stage, grace_s=60)
        drain.start()
        waiting = threading.Thread(target=drain.wait)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive(), "it did not wait"
        go.set()
        waiting.join(60)

        assert not waiting.is_alive()
        assert "done" == stage.record(id, "state")
        assert [] == stage.in_flight.all()


def test_nothing_stays_under_way_of_what_did_not_begin(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim was stale, or its begin is lost with the connection: a drain has nothing to wait for."""
    with attempt_harness(redis_client) as stage, HostileTarget(answering(OK)) as target:
        begin, answers = stage.ledger.begin, iter([StoreUnavailable("ConnectionError", "cut"), [None]])

        def begin_badly(pairs: Sequence[tuple[str, int]]) -> object:
            begin(pairs)
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(stage.ledger, "begin", begin_badly)
        id = stage.accept(target.url())
        (claim,) = stage.receive()
        claim.wait()
        assert ("waiting", "0") == (stage.record(id, "state"), stage.record(id, "attempts"))
        (claim,) = stage.receive()
        claim.wait()

        assert [] == stage.in_flight.all()
        assert [] == target.received

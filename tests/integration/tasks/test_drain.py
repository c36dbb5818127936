"""The end of a worker whose Redis was away when the answer came."""

import threading

import pytest
import redis

from longshore.ledger.connection import connect
from longshore.runtime.embedded_redis import EmbeddedRedis
from tasks.worker.drain import Drain
from tests.support.hostile import OK, HostileTarget, Talk, answering
from tests.support.one_attempt import AttemptHarness, attempt_harness
from tests.support.programs import eventually


def drain_of(stage: AttemptHarness) -> Drain:
    """One without any grace."""
    return Drain(stage.shutdown, stage.ledger, stage.results, stage.in_flight, 0, lambda: None, lambda: None)


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

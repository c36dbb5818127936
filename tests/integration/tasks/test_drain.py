"""The end of a worker whose Redis was away when the answer came."""

import threading

import pytest

from longshore.sandbox.embedded_redis import EmbeddedRedis
from longshore.store.connection import connect
from tasks.drain import Drain
from tests.support.hostile import OK, HostileTarget, Talk
from tests.support.one_attempt import staged
from tests.support.programs import eventually


def test_a_drain_stores_the_answer_that_waits_for_redis(
    redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known is known: the run is done, not unknown, whoever of the two comes first when Redis is back."""
    monkeypatch.setattr("tasks.attempt._STORE_PAUSES_S", (3600,))  # so that it is the drain
    ended = threading.Event()
    monkeypatch.setattr("tasks.drain.os._exit", lambda code: ended.set())

    def script(talk: Talk) -> None:
        talk.receive()
        redis_server.kill()
        talk.send(OK)

    with connect(redis_server.url) as client, staged(client) as stage, HostileTarget(script) as target:
        id = stage.accept(target.url())
        (claim,), _ = stage.ledger.pump()
        args = (claim.id, claim.token, claim.start_ms)
        threading.Thread(target=stage.attempts.run, args=args, daemon=True).start()
        in_flight = stage.attempts.in_flight
        eventually(lambda: in_flight.all() and in_flight.unstored(in_flight.all()[0]), "an answer to store")
        redis_server.start()
        Drain(stage.ledger, stage.attempts.story, in_flight, 0, lambda: None, lambda: None).start()

        assert ended.wait(30)
        assert ("done", "200") == (stage.record(id, "state"), stage.record(id, "status"))

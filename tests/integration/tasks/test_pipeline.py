"""The stages of a worker over a real Redis: what begins, what waits, what goes back."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import redis
import structlog

from longshore.delivery.target import target_of
from longshore.ledger.connection import connect
from longshore.ledger.entry import StartedAttempt
from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from tasks.worker.attempt_executor import AttemptExecutor
from tasks.worker.pipeline.begin import MAX_UNSENT
from tasks.worker.thread_pool import ThreadPool
from tests.support.hostile import OK, HostileTarget, Talk, answering
from tests.support.one_attempt import AttemptHarness, attempt_harness
from tests.support.programs import eventually

MANY_AT_ONCE: dict[str, Any] = {"TARGET_CONCURRENCY": "1000", "LANE_CONCURRENCY": "1000"}


def states(stage: AttemptHarness, ids: list[str]) -> Counter[str]:
    return Counter(stage.record(id, "state") for id in ids)


def hang(talk: Talk) -> None:
    talk.receive()
    talk.hang()


@pytest.fixture
def jammed_pool() -> Iterator[ThreadPool]:
    """A pool of one thread, which is stuck until the test is over."""
    pool, jam = ThreadPool(1, at_work=1), threading.Event()

    def wait() -> None:
        jam.wait(120)

    pool.submit(wait)
    yield pool
    jam.set()


def test_no_more_begin_than_are_sent_at_once(redis_client: "redis.Redis", jammed_pool: ThreadPool) -> None:
    """Nobody sends: what has begun would be a false unknown each, should the worker die now."""
    with attempt_harness(redis_client, slots=100, pool=jammed_pool, **MANY_AT_ONCE) as stage:
        ids = [stage.accept("http://127.0.0.1:9/x") for _ in range(60)]
        assert 60 == len(stage.receive())
        eventually(lambda: states(stage, ids)["begun"] == MAX_UNSENT, "some have begun")
        stage.shutdown.draining.set()
        eventually(lambda: not states(stage, ids)["claimed"], "the others are given back")

        assert {"begun": MAX_UNSENT, "waiting": 60 - MAX_UNSENT} == states(stage, ids)


def test_requests_that_wait_for_an_answer_need_no_threads(redis_client: "redis.Redis") -> None:
    """A hundred hang; those of another target are delivered all the same, by the few threads there are."""
    pool = ThreadPool(100, at_work=2)
    with (
        attempt_harness(redis_client, slots=200, pool=pool, **MANY_AT_ONCE) as stage,
        HostileTarget(hang) as hanging,
        HostileTarget(answering(OK)) as target,
    ):
        hung = [stage.accept(hanging.url()) for _ in range(100)]
        stage.receive()
        eventually(lambda: len(hanging.received) == 100, "all have been sent")
        eventually(lambda: pool.at_work <= 2, "threads that connected are spare")
        ids = [stage.accept(target.url()) for _ in range(20)]
        for claim in stage.receive():
            claim.wait()

        assert {"done": 20} == states(stage, ids)
        assert {"begun": 100} == states(stage, hung)
        hanging.stopped.set()
        eventually(lambda: not stage.in_flight.all(), "what hung has ended, as its target hangs up")


def test_claims_wait_for_a_redis_that_is_away(redis_server: EmbeddedRedis) -> None:
    """Nothing of them is lost, and nobody waits for a lease."""
    with (
        connect(redis_server.url) as client,
        attempt_harness(client, slots=10) as stage,
        HostileTarget(answering(OK)) as target,
    ):
        ids = [stage.accept(target.url()) for _ in range(5)]
        claims = stage.claim()
        redis_server.kill()
        stage.pipeline.receive(claims)
        redis_server.start()
        for claim in claims:
            claim.wait()

        assert {"done": 5} == states(stage, ids)


def test_what_is_revoked_after_its_receipt_is_not_sent(redis_client: "redis.Redis") -> None:
    """Its neighbours in the batch are."""
    with attempt_harness(redis_client, slots=10) as stage, HostileTarget(answering(OK)) as target:
        ids = [stage.accept(target.url()) for _ in range(3)]
        claims = stage.claim()
        claims[1].is_revoked = True
        stage.pipeline.receive(claims)
        for claim in claims:
            claim.wait()

        assert 2 == len(target.received)
        revoked = claims[1].claim.id
        assert ("dead", "revoked") == (stage.record(revoked, "state"), stage.record(revoked, "reason"))
        assert {"done": 2, "dead": 1} == states(stage, ids)


def test_a_broken_record_harms_no_other_in_its_batch(redis_client: "redis.Redis") -> None:
    """Its history is no list; the others are delivered, and its own lease lapses."""
    with attempt_harness(redis_client, slots=10) as stage, HostileTarget(answering(OK)) as target:
        ids = [stage.accept(target.url()) for _ in range(5)]
        redis_client.set(stage.ledger.keys.attempts(ids[2]), "garbage")
        with structlog.testing.capture_logs() as lines:
            claims = stage.receive()
            for claim in claims:
                claim.wait()

        assert {"done": 4, "begun": 1} == states(stage, ids)
        assert "begun" == stage.record(ids[2], "state")
        (broken,) = [line for line in lines if line["event"] == events.DELIVERY_RECORD_BROKEN.name]
        assert (ids[2], True) == (broken["id"], "WRONGTYPE" in broken["error"])
        assert [] == stage.in_flight.all()


def test_a_batch_whose_requests_take_long_to_build_holds_up_no_other(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """An expression that takes as long as it may, say."""
    build, reached, released = AttemptExecutor.build, threading.Event(), threading.Event()

    def build_slowly(executor: AttemptExecutor, attempts: Sequence[StartedAttempt]) -> list[Any]:
        if any("slow" in attempt.lane for attempt in attempts):
            reached.set()
            assert released.wait(60)
        return build(executor, attempts)

    monkeypatch.setattr(AttemptExecutor, "build", build_slowly)
    with attempt_harness(redis_client, slots=20) as stage, HostileTarget(answering(OK)) as target:
        slow = [stage.accept(target.url(), lane=f"{target_of(target.url())} slow") for _ in range(3)]
        slow_claims = stage.receive()
        assert reached.wait(60)
        ids = [stage.accept(target.url()) for _ in range(3)]
        for claim in stage.receive():
            claim.wait()
        assert {"done": 3} == states(stage, ids)
        assert {"claimed": 3} == states(stage, slow)
        released.set()
        for claim in slow_claims:
            claim.wait()
        assert {"done": 3} == states(stage, slow)


def test_a_fault_while_ends_are_stored_costs_no_slot(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their leases lapse; the worker holds nothing of them, and goes on with others."""
    with attempt_harness(redis_client, slots=10) as stage, HostileTarget(answering(OK)) as target:
        ids = [stage.accept(target.url()) for _ in range(3)]
        with monkeypatch.context() as patched:
            patched.setattr(stage.ledger, "finish", None)  # calling it is an error that nobody expects
            assert [None] * 3 == [claim.wait() for claim in stage.receive()]
        assert [] == stage.in_flight.all()
        assert {"begun": 3} == states(stage, ids)

        _, result = stage.run(target.url())
        assert result is not None
        assert "done" == result.state

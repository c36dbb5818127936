"""What the stages of the pipeline are made of: batches without timers, bounds, claims that wait for their start."""

import socket
import threading
from typing import Any

from longshore.ledger.entry import Claim
from tasks.worker.gate import Gate
from tasks.worker.pipeline.response_waiter import ResponseWaiter
from tasks.worker.pipeline.start_queue import MAX_WAIT_MS, StartQueue
from tasks.worker.stage import Stage
from tests.support.one_attempt import HarnessClaim


def test_what_arrives_during_a_batch_is_the_next_batch() -> None:
    """In order, up to the maximum."""
    batches: list[list[int]] = []
    first_runs, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work(batch: list[int]) -> None:
        batches.append(batch)
        first_runs.set()
        assert go_on.wait(60)
        if 9 in batch:
            done.set()

    stage = Stage("numbers", work, max_items=5)
    stage.start()
    stage.put(0)
    assert first_runs.wait(60)
    for number in range(1, 10):
        stage.put(number)
    go_on.set()
    assert done.wait(60)
    stage.stop()

    assert [[0], [1, 2, 3, 4, 5], [6, 7, 8, 9]] == batches


def test_a_batch_may_be_given_a_moment_to_grow() -> None:
    """Where its items say that more is on its way."""
    batches: list[list[int]] = []
    asked = threading.Event()

    def gather_s() -> float:
        asked.set()
        return 3600.0

    stage: Stage[int] = Stage("numbers", batches.append, max_items=5, gather_s=gather_s)
    stage.start()
    stage.put(0)
    assert asked.wait(60)
    for number in (1, 2):
        stage.put(number)
    stage.stop()  # which ends the moment

    assert [[0, 1, 2]] == batches


def test_a_stage_that_stops_works_on_what_was_put() -> None:
    """Though it had no time for it."""
    batches: list[list[int]] = []
    stage = Stage("numbers", batches.append, max_items=2)
    for number in range(5):
        stage.put(number)
    stage.start()
    stage.stop()

    assert list(range(5)) == [item for batch in batches for item in batch]


def test_a_gate_lets_in_what_it_has_room_for() -> None:
    """And more when somebody leaves."""
    gate = Gate(3)
    assert (2, 1, 0) == (gate.enter(2, 0), gate.enter(2, 0), gate.enter(1, 0.001))
    threading.Timer(0.01, gate.leave, [2]).start()
    assert gate.enter(1, 60) == 1
    assert gate.enter(5, 60) == 1


def received(id: str, start_ms: int) -> HarnessClaim:
    return HarnessClaim(Claim(id, 1, start_ms, "target", 0, 1))


def test_claims_wait_for_their_start_and_overtake_each_other() -> None:
    """By the clock of Redis; those of one start stay in their order."""
    now_ms = 1_000_000.0
    queue = StartQueue(lambda: now_ms)
    queue.put([received("late", 1_000_500), received("now", 0), received("soon", 1_000_100)])
    queue.put([received("now too", 0)])

    assert ["now", "now too"] == [each.claim.id for each in queue.take(10, 0)]
    now_ms += 100
    assert ["soon"] == [each.claim.id for each in queue.take(10, 0)]
    assert [] == queue.take(10, 0)
    now_ms += 400
    assert ["late"] == [each.claim.id for each in queue.take(10, 0)]


def test_a_clock_that_jumped_makes_no_claim_wait_for_long() -> None:
    """A start a day ahead."""
    now_ms = 0.0
    queue = StartQueue(lambda: now_ms)
    queue.put([received("far", 86_400_000)])

    assert [] == queue.take(10, 0)
    now_ms += MAX_WAIT_MS
    assert ["far"] == [each.claim.id for each in queue.take(10, 0)]


def test_all_claims_can_be_taken_whether_due_or_not() -> None:
    """For the end of the process."""
    queue = StartQueue(lambda: 0.0)
    queue.put([received("far", 500), received("now", 0)])

    assert {"far", "now"} == {each.claim.id for each in queue.take_all()}
    assert [] == queue.take_all()


class ClosedExchange:
    """An exchange whose socket was closed before anybody waits for it."""

    timeout_s = 3600.0

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.close()

    def has_buffered_data(self) -> bool:
        return False


def test_a_response_that_nothing_can_bring_is_looked_at_at_once() -> None:
    """Whoever reads from the closed socket finds out why; otherwise its attempt would never end."""
    resumed: list[bool] = []
    waiter = ResponseWaiter()
    exchange: Any = ClosedExchange()

    waiter.wait(exchange, resumed.append)

    assert [False] == resumed

"""Backlogs that are held back and then let go: nothing is lost, and nothing is sent twice, whoever is killed meanwhile.

LONGSHORE_HELD_BACK=10000 pytest tests/faults/test_held_back.py     (the size; 2000 without)
"""

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.target_process import TargetProcess
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.scan import Filter
from longshore.ledger.target_control import TargetControl
from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.crowd import Crowd
from tests.support.programs import PATIENCE_S, eventually

SIZE = int(os.environ.get("LONGSHORE_HELD_BACK", "2000"))

pytestmark = pytest.mark.timeout(120 + SIZE / 20)

MakeCrowd = Callable[..., Crowd]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def make_crowd(stack: ExitStack, tmp_path: Path, redis_server: EmbeddedRedis) -> MakeCrowd:
    return lambda **environ: stack.enter_context(Crowd(tmp_path, redis_server, **environ))


def wait(condition: Callable[[], object], what: str) -> None:
    """As `eventually`, with the patience that the size asks for."""
    eventually(condition, what, PATIENCE_S * max(1, SIZE // 1000), every_s=0.1)


def test_a_job_that_is_killed_half_way_sends_each_exactly_once(make_crowd: MakeCrowd) -> None:
    """By filter, under live traffic, with the only worker killed: another carries on where it was."""
    crowd = make_crowd(WORKER_SLOTS="40", LANE_CONCURRENCY="20")
    server = TargetProcess(2)
    try:
        letters, live = [f"r_{n}" for n in range(SIZE)], [f"live_{n}" for n in range(SIZE // 5)]
        other_ids = [f"other_{n}" for n in range(SIZE // 10)]
        crowd.put(letters, server.url(), dead="http_503")
        crowd.put(other_ids, server.url(), dead="http_404")
        first = crowd.worker()
        found = crowd.access.invocations.find(Filter(reason="http_503", until_ms=crowd.ledger.clock_ms()))
        job = crowd.access.requeue.start_job(
            found, RequeueRequest("ann", "it is back", rate=0 if SIZE <= 1000 else 500)
        )
        assert SIZE == job.total
        for n, id in enumerate(live):
            crowd.put([id], server.url(1), start=True)
            if n == len(live) // 2:
                wait(lambda: crowd.count("done") > SIZE // 4, "a quarter is done")
                first.process.kill()
                first.process.wait()
                crowd.worker()
        wait(lambda: (now := crowd.access.requeue.job(job.id)) and now.state == "done", "the job is done")
        everything = letters + live
        wait(lambda: not {"waiting", "claimed", "begun"} & set(crowd.states(everything).values()), "all have ended")
        states = crowd.states(everything)
    finally:
        arrivals = server.stop()
    assert not [id for id, times in arrivals.items() if len(times) > 1], "sent twice"
    # What the killed worker had begun may have run: that is a person's to decide, and never sent again by itself.
    parked = [id for id in everything if states[id] == "unknown"]
    assert not [id for id in everything if id not in arrivals and id not in parked], "never sent"
    assert {"done", "unknown"} >= set(states.values())
    assert len(parked) <= 40
    assert {"dead"} == set(crowd.states(other_ids).values()), "what the filter does not take stays"


def test_a_target_that_comes_back_gets_everything_within_its_limit(make_crowd: MakeCrowd) -> None:
    """While it is dead only probes go; afterwards all of its backlog arrives once, none of it given up."""
    crowd = make_crowd(
        WORKER_SLOTS="40", BREAKER_OPEN_S="0.5", BREAKER_MAX_OPEN_S="1", RETRY_BASE_S="0.5", RETRY_MAX_S="2"
    )
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    url, ids = f"http://127.0.0.1:{port}/hook", [f"r_{n}" for n in range(SIZE)]
    crowd.access.targets.set(f"http://127.0.0.1:{port}", "", TargetControl(rate=200, concurrency=10))
    crowd.put(ids, url)
    worker = crowd.worker()
    wait(lambda: crowd.count("breaker_opened") >= 6, "five probes have failed")
    tries = worker.log().count(events.DELIVERY_ATTEMPTED.name)
    # In flight when it opened, the faults that opened it, and the probes.
    assert tries <= 10 + 5 + crowd.count("breaker_opened")
    server = TargetProcess(1, port)
    try:
        wait(lambda: {"done"} == set(crowd.states(ids).values()), "all are delivered")
    finally:
        arrivals = server.stop()
    assert (SIZE, {1}) == (len(arrivals), {len(times) for times in arrivals.values()})
    a_second = Counter(int(time) for times in arrivals.values() for time in times)
    assert max(a_second.values()) <= 2 * 200, "its limit holds while it catches up"

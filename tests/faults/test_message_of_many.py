"""A message of twenty claims whose worker dies: none is lost with it, and each is judged alone when it comes again."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.target_process import TargetProcess
from config.settings import load
from longshore.runtime.embedded_redis import EmbeddedRedis
from tasks.celery.app import make_app
from tasks.celery.messages import MAX_CLAIMS
from tasks.worker.pipeline.begin import MAX_UNSENT
from tests.support import crash_points
from tests.support.crowd import Crowd
from tests.support.programs import eventually

pytestmark = pytest.mark.timeout(240)

LEASE_S = 12
"""Long enough to start a worker, and to revoke, before the claims come again."""
ROOM = {"WORKER_SLOTS": "100", "TARGET_CONCURRENCY": "100", "LANE_CONCURRENCY": "100", "LEASE_S": str(LEASE_S)}
IDS = [f"r_{number}" for number in range(MAX_CLAIMS)]
REVOKED, BROKEN = IDS[3], IDS[7]
NOT_BEGUN = ("at receipt", "after load", "after build, before begin")


def states(crowd: Crowd) -> Counter[str]:
    """How many are in which state."""
    return Counter(crowd.states(IDS).values())


def lose_message(crowd: Crowd, url: str, point: str) -> None:
    """Have a worker die of its first message, which has all of the claims, at `point`."""
    mark = crowd.folder / "mark"
    worker = crowd.worker([sys.executable, "-P", crash_points.__file__, point, "1", str(mark)])
    crowd.put(IDS, url, start=True)
    eventually(lambda: worker.process.poll() is not None, f"the worker dies {point}")
    assert (worker.process.returncode, mark.read_text()) == (-signal.SIGKILL, point)


@pytest.mark.parametrize("point", NOT_BEGUN)
def test_claims_that_had_not_begun_come_again_after_a_lease(
    redis_server: EmbeddedRedis, tmp_path: Path, point: str
) -> None:
    """All twenty: one that was revoked meanwhile is not sent, and one whose record is broken holds up nobody."""
    with Crowd(tmp_path, redis_server, **ROOM) as crowd, TargetProcess() as server:
        lose_message(crowd, server.url(), point)
        assert states(crowd) == {"claimed": MAX_CLAIMS}

        crowd.ledger.redis.set(crowd.ledger.keys.attempts(BROKEN), "a history that is no list")
        crowd.worker()
        make_app(load(crowd.environ)).control.revoke(REVOKED, reply=True, timeout=5, limit=1)
        assert states(crowd) == {"claimed": MAX_CLAIMS}
        others = [id for id in IDS if id not in (REVOKED, BROKEN)]
        eventually(lambda: set(crowd.states(others).values()) == {"done"}, "the others are delivered")
        eventually(lambda: crowd.states([REVOKED]) == {REVOKED: "dead"}, "it is a dead letter")
        eventually(lambda: crowd.states([BROKEN]) == {BROKEN: "unknown"}, "its lease lapses", 3 * LEASE_S)

        arrivals = server.stop()
        assert {id: len(times) for id, times in arrivals.items()} == dict.fromkeys([*others, BROKEN], 1)


def test_of_a_message_only_what_had_begun_is_unknown(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """Sixteen begin at most before anything of them is sent; the others are delivered after a lease, once."""
    with Crowd(tmp_path, redis_server, **ROOM) as crowd, TargetProcess() as server:
        lose_message(crowd, server.url(), "after begin")
        begun = {id for id, state in crowd.states(IDS).items() if state == "begun"}
        assert 0 < len(begun) <= MAX_UNSENT
        assert states(crowd) == {"begun": len(begun), "claimed": MAX_CLAIMS - len(begun)}

        crowd.worker()
        eventually(lambda: not states(crowd).keys() & {"waiting", "claimed", "begun"}, "all have ended")

        arrivals = server.stop()
        assert {id for id, state in crowd.states(IDS).items() if state == "unknown"} == begun
        assert {id: len(times) for id, times in arrivals.items()} == dict.fromkeys(set(IDS) - begun, 1)

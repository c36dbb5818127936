"""Redis's clock goes back by an hour: what was due in seconds is due in seconds, nothing stands still for the hour."""

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from longshore.ledger import scripts
from longshore.ledger.entry import AttemptEnd
from longshore.ledger.ledger import Ledger
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.operations.ledger_access import LedgerAccess
from tests.support.one_claim import begin_one, finish_one

from .conftest import entry, store

TARGET, LANE = "http://a:80", "http://a:80 deploy"
SEALER = Sealer("secret")
HOUR_S = 3_600
MakeLedger = Callable[..., Ledger]


class Clock:
    """The clock that scripts are told, in place of Redis's own."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._s = 1_800_000_000
        self.passes(0)

    def passes(self, seconds: int) -> None:
        """By some seconds, or back."""
        self._s += seconds
        self._client.hset("test:time", "s", self._s)
        self._client.hset("test:time", "us", 0)


@pytest.fixture
def clock(client: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    text = scripts.text
    told = "call('HMGET', 'test:time', 's', 'us')"
    monkeypatch.setattr(scripts, "text", lambda name: text(name).replace("call('TIME')", told))
    scripts.Script.get.cache_clear()
    yield Clock(client)
    scripts.Script.get.cache_clear()


def ids(ledger: Ledger) -> set[str]:
    return {claim.id for claim in ledger.pump()[0]}


def one_fault(ledger: Ledger, delay_ms: int, about: str = "") -> None:
    ((claim,), _) = ledger.pump()[:2]
    begin_one(ledger, claim.id, claim.token)
    finish_one(
        ledger,
        claim.id,
        claim.token,
        AttemptEnd(State.WAITING, "http_503", 503, delay_ms, about_lane=about),
        max_claims=0,
    )


def test_what_waits_is_handed_out(make_ledger: MakeLedger, clock: Clock) -> None:
    """First attempts at once, a retry after its pause."""
    ledger = make_ledger()
    ledger.heartbeat("worker-1", 10)
    store(ledger, entry("r_1", lane=LANE))
    one_fault(ledger, 10_000)
    store(ledger, entry("r_2", lane=LANE))
    clock.passes(-HOUR_S)
    assert {"r_2"} == ids(ledger)
    clock.passes(13)
    assert {"r_1"} == ids(ledger)


def test_reports_are_sent(make_ledger: MakeLedger, clock: Clock) -> None:
    """Within Port's budget, which was drawn just before."""
    ledger = make_ledger(port_rate=1)
    store(ledger, *(entry(f"r_{n}", reports=(b"L", b"S")) for n in range(3)))
    clock.passes(4)
    assert ReportOutbox(ledger).lease(1, 60_000)
    clock.passes(-HOUR_S)
    assert not ReportOutbox(ledger).lease(1, 60_000)
    clock.passes(6)
    assert ReportOutbox(ledger).lease(1, 60_000)


def test_a_breaker_lets_a_probe_go(make_ledger: MakeLedger, clock: Clock) -> None:
    """When its time is over, not an hour later."""
    ledger = make_ledger(breaker_failures=1, breaker_open=5_000)
    ledger.heartbeat("worker-1", 10)
    store(ledger, entry("r_1", lane=LANE))
    one_fault(ledger, 0, "fault")
    clock.passes(-HOUR_S)
    assert set() == ids(ledger)
    clock.passes(7)
    assert {"r_1"} == ids(ledger)


def test_a_limited_target_goes_on_at_its_rate(make_ledger: MakeLedger, clock: Clock) -> None:
    """Neither not at all nor all at once."""
    ledger = make_ledger(rate=1)
    ledger.heartbeat("worker-1", 10)
    store(ledger, *(entry(f"r_{n}") for n in range(9)))
    assert 1 == len(ids(ledger))
    clock.passes(-HOUR_S)
    assert set() == ids(ledger)
    for _ in range(3):
        clock.passes(2)
        assert ids(ledger)


def test_a_requeue_job_goes_on(make_ledger: MakeLedger, clock: Clock) -> None:
    """At its rate."""
    ledger = make_ledger()
    store(ledger, *(entry(f"r_{n}", dead="malformed") for n in range(4)))
    access = LedgerAccess.build(ledger, SEALER)
    requeue, letters = access.requeue, access.invocations
    job = requeue.start_job(letters.read([f"r_{n}" for n in range(4)]), RequeueRequest("ann", "it is back", rate=1))
    requeue.run_due()
    clock.passes(-HOUR_S)
    for _ in range(6):
        clock.passes(1)
        requeue.run_due()
    after = requeue.job(job.id)
    assert after is not None
    assert ("done", 4) == (after.state, after.started)


def test_programs_and_scripts_agree_on_the_time(ledger: Ledger, client: "redis.Redis") -> None:
    """Also where the clock has gone back: claims' starts are compared with it."""
    client.hincrby(ledger.keys.clock, "last", HOUR_S * 1000)
    store(ledger, entry("r_1"))
    accepted_ms = int(client.hget(ledger.keys.invocation("r_1"), "accepted") or 0)
    assert HOUR_S * 900 < accepted_ms - time.time() * 1000 < HOUR_S * 1100
    assert 0 <= ledger.clock_ms() - accepted_ms < HOUR_S * 100


def test_what_stands_far_ahead_of_any_time_it_may_have_is_of_another_time(
    make_ledger: MakeLedger, client: "redis.Redis"
) -> None:
    """Where the ledger knows nothing of the old clock: no opening of a breaker and no step of a job is that long."""
    ledger = make_ledger(rate=1)
    ledger.heartbeat("worker-1", 10)
    hour_ahead = ledger.clock_ms() + HOUR_S * 1000
    client.hset(ledger.keys.starts, TARGET, hour_ahead)
    client.hset(ledger.keys.gates, f"b:{LANE}", f"5|{hour_ahead}|5000|0|")
    store(ledger, entry("r_1", lane=LANE), entry("r_2", dead="malformed"))
    assert {"r_1"} == ids(ledger)
    access = LedgerAccess.build(ledger, SEALER)
    requeue = access.requeue
    job = requeue.start_job(access.invocations.read(["r_2"]), RequeueRequest("ann", "it is back", rate=1))
    client.hset(ledger.keys.job(job.id), "next", hour_ahead)
    requeue.run_due()
    after = requeue.job(job.id)
    assert after is not None
    assert 1 == after.started

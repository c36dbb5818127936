"""Breakers, pauses and limits: what is broken or held back costs the others nothing, and comes back by itself."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import redis

from longshore.ledger.entry import AttemptEnd, Claim
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.ledger.target_status import TargetStatus
from longshore.ledger.targets import TargetControls
from tests.support.one_claim import begin_one, finish_one, release_one

from .conftest import entry, lapse, store

TARGET = "http://a:80"
LANE = "http://a:80 deploy"


@pytest.fixture
def busy(make_ledger: Callable[..., Ledger]) -> Ledger:
    """A ledger whose breakers open after three faults."""
    ledger = make_ledger(breaker_failures=3, breaker_open=60_000, breaker_longest=200_000)
    ledger.heartbeat("worker-1", 1000)
    return ledger


def put(ledger: Ledger, count: int, start: int = 0, action: str = "deploy") -> None:
    store(ledger, *(entry(f"{action}-{start + n}", lane=f"{TARGET} {action}") for n in range(count)))


def fault(
    ledger: Ledger, claim: Claim, about: str = "lane", delay_ms: int = 3_600_000, max_claims: int = 0
) -> tuple[Claim, ...]:
    """The attempt of `claim` fails and will be tried again; returns who starts in its place."""
    begin_one(ledger, claim.id, claim.token)
    said = {"about_target": "fault"} if about == "target" else {"about_target": "well", "about_lane": "fault"}
    end = AttemptEnd(State.WAITING, "http_503", 503, delay_ms, **said)  # type: ignore[arg-type]
    return finish_one(ledger, claim.id, claim.token, end, max_claims)[1]


def well(ledger: Ledger, claim: Claim) -> tuple[Claim, ...]:
    begin_one(ledger, claim.id, claim.token)
    finish = AttemptEnd(State.DONE, "delivered", 200, about_target="well", about_lane="well")
    return finish_one(ledger, claim.id, claim.token, finish, max_claims=100)[1]


def line_of(ledger: Ledger, name: str) -> TargetStatus:
    lines = TargetControls(ledger.redis, ledger.keys, ledger.limits).statuses()
    return next(line for line in lines if name == (line.lane or line.target))


def open_breaker(ledger: Ledger, about: str = "lane") -> None:
    put(ledger, 3)
    for claim in ledger.pump(3)[0]:
        fault(ledger, claim, about)


def time_passes(ledger: Ledger, name: str) -> None:
    """The breaker's time is over."""
    text = ledger.redis.hget(ledger.keys.gates, f"b:{name}")
    assert isinstance(text, bytes)
    failures, _, rest = text.decode().split("|", 2)
    ledger.redis.hset(ledger.keys.gates, f"b:{name}", f"{failures}|1|{rest}")
    ledger.redis.zadd(ledger.keys.lanes(TARGET), {LANE: 1})
    ledger.redis.zadd(ledger.keys.targets, {TARGET: 1})


def test_a_broken_route_is_left_alone_and_the_others_of_its_target_are_not(busy: Ledger) -> None:
    """Three faults of one lane in a row; the next lane of the same target goes on."""
    open_breaker(busy)
    put(busy, 5, 10)
    put(busy, 2, action="other")

    assert {"other-0", "other-1"} == {claim.id for claim in busy.pump()[0]}
    assert ("open", "closed") == (line_of(busy, LANE).breaker, line_of(busy, TARGET).breaker)


def test_a_target_without_connections_is_left_alone_with_all_its_lanes(busy: Ledger) -> None:
    """Connection faults are the whole target's."""
    open_breaker(busy, "target")
    put(busy, 2, action="other")
    store(busy, entry("elsewhere", "http://b:80"))

    assert ["elsewhere"] == [claim.id for claim in busy.pump()[0]]
    assert "open" == line_of(busy, TARGET).breaker


@pytest.mark.parametrize("about", ["lane", "target"])
def test_after_its_time_one_probe_goes_and_its_success_ramps_up(busy: Ledger, about: str) -> None:
    """One, then two, four, eight at once, then as before."""
    open_breaker(busy, about)
    put(busy, 40, 10)
    time_passes(busy, LANE if about == "lane" else TARGET)
    ((probe,), _) = busy.pump()[:2]
    assert ((), ()) == busy.pump()[:2]
    two = well(busy, probe)
    assert 2 == len(two)
    four = well(busy, two[0])
    assert 3 == len(four), "one of the two is still in flight"
    for claim in (two[1], *four):
        well(busy, claim)
    put(busy, 40, 100)
    busy.pump()
    assert (
        "closed" == line_of(busy, LANE if about == "lane" else TARGET).breaker or busy.redis.hlen(busy.keys.gates) <= 1
    )


def test_a_failed_probe_opens_it_again_for_longer(busy: Ledger) -> None:
    """Twice as long each time, up to the limit."""
    open_breaker(busy)
    first = line_of(busy, LANE).open_until_ms
    put(busy, 2, 10)
    time_passes(busy, LANE)
    ((probe,), _) = busy.pump()[:2]
    assert () == fault(busy, probe, max_claims=10)
    assert line_of(busy, LANE).open_until_ms - first > 55_000


def test_a_probe_is_rather_a_retry(busy: Ledger) -> None:
    """Its failure then costs no first try."""
    put(busy, 3)
    for claim in busy.pump(3)[0]:
        fault(busy, claim, delay_ms=-1)
    put(busy, 2, 10)
    time_passes(busy, LANE)
    ((probe,), _) = busy.pump()[:2]
    assert probe.attempts == 1


def test_a_probe_lost_with_its_worker_opens_it_again(busy: Ledger) -> None:
    """It may be what kills them."""
    open_breaker(busy)
    put(busy, 2, 10)
    time_passes(busy, LANE)
    ((probe,), _) = busy.pump()[:2]
    begin_one(busy, probe.id, probe.token)
    lapse(busy, probe.id)
    claims, _ = busy.pump()[:2]
    assert ((), "open") == (claims, line_of(busy, LANE).breaker)


@pytest.mark.parametrize("how", ["lapsed", "given back"])
def test_a_probe_that_was_never_sent_decides_nothing(busy: Ledger, how: str) -> None:
    """Another one goes in its place."""
    open_breaker(busy)
    put(busy, 2, 10)
    time_passes(busy, LANE)
    ((probe,), _) = busy.pump()[:2]
    if how == "lapsed":
        lapse(busy, probe.id)
    else:
        release_one(busy, probe.id, probe.token)
    assert 1 == len(busy.pump()[0])


def test_a_success_forgets_the_faults_before_it(busy: Ledger) -> None:
    """Only faults in a row count."""
    put(busy, 6)
    claims, _ = busy.pump()[:2]
    for n, claim in enumerate(claims):
        well(busy, claim) if n == 2 else fault(busy, claim)
    assert "open" == line_of(busy, LANE).breaker
    busy.redis.flushall()


def test_first_attempts_overtake_late_retries_but_not_for_ever(busy: Ledger, client: "redis.Redis") -> None:
    """By a minute; and with nobody else waiting a retry goes at once."""
    busy = Ledger(client, busy.keys, replace(busy.limits, breaker_failures=100))
    put(busy, 1)
    ((claim,), _) = busy.pump()[:2]
    fault(busy, claim, delay_ms=-1)
    put(busy, 1, 1)
    assert ["deploy-1", "deploy-0"] == [busy.pump(1)[0][0].id for _ in range(2)]

    put(busy, 1, 2)
    ((claim,), _) = busy.pump()[:2]
    fault(busy, claim, delay_ms=-busy.limits.late - 1000)
    put(busy, 1, 3)
    assert "deploy-2" == busy.pump(1)[0][0].id


def test_what_is_paused_waits_and_resumes(busy: Ledger) -> None:
    """A target, or one lane of it."""
    targets = TargetControls(busy.redis, busy.keys, busy.limits)
    targets.set(TARGET, LANE, TargetControl(paused=True))
    put(busy, 2)
    put(busy, 1, action="other")
    assert ["other-0"] == [claim.id for claim in busy.pump()[0]]
    targets.set(TARGET, LANE, TargetControl())
    targets.set(TARGET, "", TargetControl(paused=True))
    assert ((), ()) == busy.pump()[:2]
    assert (2, True) == (line_of(busy, TARGET).waiting, line_of(busy, TARGET).control.paused)
    targets.set(TARGET, "", TargetControl())
    assert 2 == len(busy.pump()[0])


def test_limits_of_an_operator_hold_at_once(busy: Ledger) -> None:
    """In flight, and per second; of a target and of a lane."""
    targets = TargetControls(busy.redis, busy.keys, busy.limits)
    targets.set(TARGET, "", TargetControl(concurrency=3))
    targets.set(TARGET, LANE, TargetControl(concurrency=1))
    put(busy, 5)
    put(busy, 5, action="other")
    assert ["deploy", "other", "other"] == sorted(claim.id.split("-")[0] for claim in busy.pump()[0])
    targets.set(TARGET, "", TargetControl(rate=10))
    assert 3 == len({claim.start_ms for claim in busy.pump()[0]})


def test_the_word_of_an_operator_is_stronger_than_the_mappings(busy: Ledger) -> None:
    """Each key by itself; taken back, the mapping's holds again."""
    targets = TargetControls(busy.redis, busy.keys, busy.limits)
    targets.set(TARGET, "", TargetControl(concurrency=2), source="mapping")
    put(busy, 10)
    assert 2 == len(busy.pump()[0])
    targets.set(TARGET, "", TargetControl(concurrency=5))
    assert 3 == len(busy.pump()[0])
    targets.set(TARGET, "", TargetControl())
    assert (2, TargetControl()) == (line_of(busy, TARGET).mapping.concurrency, targets.operator_control(TARGET))
    assert 0 == len(busy.pump()[0])


@pytest.mark.parametrize("rate", [10, 1000])
def test_a_rate_is_kept_to_the_millisecond(busy: Ledger, rate: int) -> None:
    """Starts are handed out a little ahead, evenly spaced."""
    wide = Ledger(busy.redis, busy.keys, replace(busy.limits, target=1000, lane=1000))
    TargetControls(wide.redis, wide.keys, wide.limits).set(TARGET, "", TargetControl(rate=rate))
    put(wide, 500)
    starts = [claim.start_ms for claim in wide.pump(500)[0]]
    assert [round(n * 1000 / rate) for n in range(len(starts))] == [start - starts[0] for start in starts]
    assert len(starts) == wide.limits.ahead * rate // 1000 + 1


def test_a_higher_rate_holds_at_once(busy: Ledger) -> None:
    """The next start that a rate of one an hour had set does not outlive it."""
    targets = TargetControls(busy.redis, busy.keys, busy.limits)
    targets.set(TARGET, "", TargetControl(rate=0.001))
    put(busy, 3)
    assert 1 == len(busy.pump()[0])
    targets.set(TARGET, "", TargetControl(rate=1000))
    next_start = busy.redis.hget(busy.keys.starts, TARGET)
    assert isinstance(next_start, bytes)
    assert float(next_start) <= busy.clock_ms() + 1000

"""What is kept of targets does not grow with all that were ever seen, and no look goes through all of them."""

from collections.abc import Callable

import pytest
import redis

from longshore.ledger.entry import AttemptEnd
from longshore.ledger.fleet_snapshot import take_snapshot
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from longshore.ledger.sweep import Sweep
from longshore.ledger.target_control import TargetControl
from longshore.ledger.targets import TargetControls
from tests.support.one_claim import begin_one, finish_one

from .conftest import entry, store

MakeLedger = Callable[..., Ledger]
TARGET, LANE = "http://a:80", "http://a:80 deploy"
LIMITED = TargetControl(rate=5)
MANY = 20_000


@pytest.fixture
def targets(ledger: Ledger) -> TargetControls:
    return TargetControls(ledger.redis, ledger.keys, ledger.limits)


def sweep_after_hours(ledger: Ledger) -> None:
    """Nothing is used for hours, then a worker sweeps once round."""
    client, keys = ledger.redis, ledger.keys
    for name, _ in list(client.zscan_iter(keys.last_used)):
        client.zadd(keys.last_used, {name: 1})
    sweep = Sweep(ledger)
    for _ in range(10):
        sweep.step()


def test_what_is_used_no_longer_is_dropped(make_ledger: MakeLedger, client: "redis.Redis") -> None:
    """The mapping's limits, breakers that count faults, next starts; those of earlier versions too."""
    ledger = make_ledger(rate=1000)
    ledger.heartbeat("worker-1", 100)
    targets = TargetControls(client, ledger.keys, ledger.limits)
    for n in range(50):
        name = f"http://t{n}:80"
        targets.set(name, "", LIMITED, source="mapping")
        store(ledger, entry(f"r_{n}", name, offset=n))
        ((claim,), _) = ledger.pump()[:2]
        begin_one(ledger, claim.id, claim.token)
        finish = AttemptEnd(State.DEAD, "http_500", 500, about_target="fault", about_lane="fault")
        finish_one(ledger, claim.id, claim.token, finish)
    client.hset(ledger.keys.gates, "m:http://old:80", LIMITED.to_json())
    client.hset(ledger.keys.starts, "http://old:80", 1)
    assert 151 == client.hlen(ledger.keys.gates)

    for target, next_ms in list(client.hscan_iter(ledger.keys.starts)):
        client.hset(ledger.keys.starts, target, float(next_ms) - 3_600_000)
    Sweep(ledger).step()
    assert 151 == client.hlen(ledger.keys.gates)
    sweep_after_hours(ledger)
    assert [0, 0, 0] == [
        client.hlen(ledger.keys.gates),
        client.hlen(ledger.keys.starts),
        client.zcard(ledger.keys.last_used),
    ]


@pytest.mark.parametrize("why", ["it waits", "it is in flight", "an operator holds its lane back", "an operator spoke"])
def test_what_is_still_needed_stays(ledger: Ledger, targets: TargetControls, why: str) -> None:
    """Else what waits would start without its limit."""
    targets.set(TARGET, "", LIMITED, source="mapping")
    match why:
        case "it waits":
            store(ledger, entry("r_1", lane=LANE))
        case "it is in flight":
            store(ledger, entry("r_1", lane=LANE))
            ledger.pump()
        case "an operator holds its lane back":
            store(ledger, entry("r_1", lane=LANE))
            targets.set(TARGET, LANE, TargetControl(paused=True))
            assert ((), ()) == ledger.pump()[:2]
        case _:
            targets.set(TARGET, "", TargetControl(concurrency=1))
    sweep_after_hours(ledger)
    assert {TARGET: LIMITED} == targets.mapping_controls([TARGET])
    if why == "an operator spoke":
        assert TargetControl(concurrency=1) == targets.operator_control(TARGET)


def test_an_open_breaker_stays_as_long_as_it_is_open(make_ledger: MakeLedger) -> None:
    """Also where nothing waits behind it."""
    ledger = make_ledger(breaker_failures=1, breaker_open=3_600_000, breaker_longest=3_600_000)
    ledger.heartbeat("worker-1", 10)
    store(ledger, entry("r_1", lane=LANE))
    ((claim,), _) = ledger.pump()[:2]
    begin_one(ledger, "r_1", claim.token)
    finish_one(ledger, "r_1", claim.token, AttemptEnd(State.DEAD, "http_500", 500, about_lane="fault"))
    sweep_after_hours(ledger)
    assert ledger.redis.hexists(ledger.keys.gates, f"b:{LANE}")


def test_no_look_and_no_script_goes_through_all_targets(
    ledger: Ledger, targets: TargetControls, client: "redis.Redis"
) -> None:
    """However many there are, what one command hands over is bounded."""
    names = [f"http://t{n}:80" for n in range(MANY)]
    client.hset(ledger.keys.gates, mapping=dict.fromkeys([f"m:{name}" for name in names], LIMITED.to_json()))
    client.hset(ledger.keys.starts, mapping=dict.fromkeys(names, "1"))
    client.zadd(ledger.keys.last_used, dict.fromkeys(names, 1.0))
    client.zadd(ledger.keys.targets, {name: n + 1 for n, name in enumerate(names)})
    client.config_resetstat()

    assert 0 < len(take_snapshot(ledger).targets) < 2000
    assert 0 < len(list(targets.statuses())) < 3000
    ledger.pump()
    Sweep(ledger).step()
    sent = client.info("stats")["total_net_output_bytes"]
    assert sent < 50 * MANY, "they are more than that together, and each look would send all of it"

"""The pause of a drill never outlasts the drill, whatever becomes of it, and never touches what others have set."""

import pytest

from longshore.ledger.drill_lease import DrillLease, DrillStart, yield_pause
from longshore.ledger.ledger import Ledger
from longshore.ledger.sweep import Sweep
from longshore.ledger.target_control import TargetControl
from longshore.ledger.targets import TargetControls

from .conftest import entry, store

TARGET, OTHER = "http://a:80", "http://b:80"


@pytest.fixture
def targets(ledger: Ledger) -> TargetControls:
    return TargetControls(ledger.redis, ledger.keys, ledger.limits)


def let_it_lapse(ledger: Ledger) -> None:
    """As if the drill had died a minute ago."""
    ledger.redis.hset(ledger.keys.drill, "until", 1)
    Sweep(ledger).step()


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_waits_for_its_target_starts_when_it_ends_or_is_killed(
    ledger: Ledger, targets: TargetControls, is_killed: bool
) -> None:
    """By the drill's own word, or by a worker's sweep once the lease has lapsed, and not before."""
    ledger.heartbeat("worker-1", 100)
    drill = DrillLease(ledger, TARGET)
    assert drill.begin() is DrillStart.OK
    store(ledger, entry("r_1", TARGET))
    Sweep(ledger).step()
    assert not ledger.pump().claims
    if is_killed:
        let_it_lapse(ledger)
    else:
        drill.resume()
    assert ["r_1"] == [claim.id for claim in ledger.pump().claims]
    assert TargetControl() == targets.operator_control(TARGET)


def test_a_drill_that_renews_its_lease_goes_on(ledger: Ledger, targets: TargetControls) -> None:
    """Also where it had all but lapsed."""
    drill = DrillLease(ledger, TARGET)
    drill.begin()
    ledger.redis.hset(ledger.keys.drill, "until", 1)
    drill.renew()
    Sweep(ledger).step()
    assert targets.operator_control(TARGET).paused


def test_there_is_one_drill_at_a_time(ledger: Ledger, targets: TargetControls) -> None:
    """Two would end two workers. A killed one stands in the way for its lease, and leaves nothing paused."""
    first, second = DrillLease(ledger, TARGET), DrillLease(ledger, OTHER)
    first.begin()
    assert second.begin() is DrillStart.OTHER_DRILL
    assert not targets.operator_control(OTHER).paused
    second.end()
    assert targets.operator_control(TARGET).paused, "one that has not begun ends no other"

    ledger.redis.hset(ledger.keys.drill, "until", 1)
    assert second.begin() is DrillStart.OK
    assert not targets.operator_control(TARGET).paused
    first.end()
    assert targets.operator_control(OTHER).paused, "one that comes back to life ends no other"
    second.end()
    assert not targets.operator_control(OTHER).paused


def test_limits_and_the_pause_of_an_operator_stay(ledger: Ledger, targets: TargetControls) -> None:
    """A drill takes back its own pause alone."""
    targets.set(TARGET, "", TargetControl(rate=5, concurrency=2))
    drill = DrillLease(ledger, TARGET)
    drill.begin()
    assert TargetControl(True, 5, 2) == targets.operator_control(TARGET)
    drill.end()
    assert TargetControl(False, 5, 2) == targets.operator_control(TARGET)

    targets.set(TARGET, "", TargetControl(paused=True))
    assert drill.begin() is DrillStart.PAUSED
    drill.end()
    assert targets.operator_control(TARGET).paused

    other = DrillLease(ledger, OTHER)
    other.begin()
    yield_pause(ledger, OTHER)
    other.end()
    let_it_lapse(ledger)
    assert targets.operator_control(OTHER).paused, "somebody paused it while the drill went on"

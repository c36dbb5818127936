"""What workers did lately is added up in Redis, in little room, and read back as an hour and a day."""

from collections.abc import Callable

import pytest
import redis

from longshore.ledger.activity import Activity, latency_field, read_activity, read_target_counts, sum_up, target_field
from longshore.ledger.entry import AttemptEnd
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from tests.support.one_claim import begin_one, finish_one

from .conftest import entry, state, store

HOURS_MS = 3_600_000
TARGET = "http://a:80"


def deliver(ledger: Ledger, id: str, result: State) -> None:
    """One invocation, from Kafka to its end."""
    store(ledger, entry(id))
    (claim,) = ledger.pump().claims
    begin_one(ledger, id, claim.token)
    finish_one(ledger, id, claim.token, AttemptEnd(result, "reason"))


def totals(activity: Activity) -> list[tuple[int, int, int, int]]:
    sums = (sum_up(activity.hour), sum_up(activity.day))
    return [(each.accepted, each.delivered, each.dead, each.unknown) for each in sums]


def test_two_workers_add_up_and_no_move_is_counted_twice(ledger: Ledger) -> None:
    """Moves are the ledger's own count; durations and targets are what each worker says."""
    deliver(ledger, "r_1", State.DONE)
    ledger.heartbeat("worker-1", 10, sums={latency_field(40): 1, target_field(TARGET, State.DONE): 1})
    deliver(ledger, "r_2", State.DONE)
    deliver(ledger, "r_3", State.DEAD)
    deliver(ledger, "r_4", State.UNKNOWN)
    sums = {latency_field(9_000): 2, target_field(TARGET, State.DONE): 1, target_field(TARGET, State.DEAD): 2}
    ledger.heartbeat("worker-2", 10, sums=sums)
    ledger.heartbeat("worker-1", 10)

    activity = read_activity(ledger)
    assert [(4, 2, 1, 1)] * 2 == totals(activity)
    last = activity.hour[-1] if activity.hour[-1].ended else activity.hour[-2]
    assert 0.5 == sum_up(activity.hour).success_rate
    assert 30 < (last.latency_ms(0.1) or 0) < 60
    assert 7_000 < (sum_up(activity.day).latency_ms(0.95) or 0) < 12_000
    assert (60, 96) == (len(activity.hour), len(activity.day))
    counts = read_target_counts(ledger)[TARGET]
    assert (2, 2) == (counts.delivered, counts.failed)


def test_a_worker_that_is_killed_takes_no_move_with_it(ledger: Ledger) -> None:
    """Another one's heartbeat counts what it did."""
    deliver(ledger, "r_1", State.DONE)
    ledger.heartbeat("worker-2", 10)
    assert [(1, 1, 0, 0)] * 2 == totals(read_activity(ledger))


def test_all_of_it_expires_and_its_room_is_bounded(ledger: Ledger, client: "redis.Redis") -> None:
    """However many targets payloads name; those that come later are counted together."""
    for beat in range(3):
        fields = (target_field(f"http://t{beat}-{n}:80", result) for n in range(100) for result in ("done", "dead"))
        ledger.heartbeat("worker-1", 10, sums=dict.fromkeys(fields, 1))
    store(ledger, entry("r_1"))
    ledger.heartbeat("worker-1", 10, sums={latency_field(1.7**n): 1 for n in range(60)})

    counts = read_target_counts(ledger)
    assert 201 >= len(counts)
    assert (100, 100) == (counts[""].delivered, counts[""].failed)
    assert 300 == sum(each.delivered for each in counts.values())
    keys = [key for key in client.scan_iter(f"{ledger.keys.prefix}act:*") if not key.endswith(b":seen")]
    assert all(0 < client.pttl(key) <= 25 * HOURS_MS for key in keys)
    minutes, hours = ([key for key in keys if b":act:" + kind in key] for kind in (b"m:", b"h:"))
    assert max(client.memory_usage(key) or 0 for key in minutes) < 2_000
    assert max(client.memory_usage(key) or 0 for key in hours) < 60_000


@pytest.mark.parametrize("key", ["act:seen", "act:m", "act:q", "act:h"])
def test_a_broken_key_of_it_costs_no_heartbeat(
    make_ledger: Callable[..., Ledger], client: "redis.Redis", key: str
) -> None:
    """Slots and leases matter more than a chart."""
    ledger = make_ledger()
    deliver_at = {"act:m": 60_000, "act:q": 900_000, "act:h": HOURS_MS}.get(key)
    name = f"{ledger.keys.prefix}{key}"
    if deliver_at is None:
        client.set(name, "broken")
    else:
        number = ledger.clock_ms() // deliver_at
        client.mset({f"{name}:{number}": "broken", f"{name}:{number + 1}": "broken"})
    ledger.heartbeat("worker-1", 10)
    store(ledger, entry("r_1"))
    (claim,) = ledger.pump().claims
    begin_one(ledger, "r_1", claim.token)

    sums = {latency_field(40): 1, target_field(TARGET, State.DONE): 1}
    assert 10 == ledger.heartbeat("worker-1", 10, [("r_1", claim.token)], sums)
    assert "begun" == state(ledger, "r_1")

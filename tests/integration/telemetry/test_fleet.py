"""The fleet's metrics, read from a real ledger."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import redis
from prometheus_client import CollectorRegistry

from longshore.invocation.kinds import Kind
from longshore.ledger.connection import connect
from longshore.ledger.entry import AttemptEnd, Entry, OffsetRange
from longshore.ledger.fleet_audit import FleetAudit
from longshore.ledger.fleet_snapshot import FleetSnapshot, take_snapshot
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.report_ages import remove_sent_report_ages
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.ledger.targets import TargetControls
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.telemetry.background_stats import BackgroundStats
from longshore.telemetry.fleet import CAUSES, FleetCollector
from longshore.telemetry.metrics import FLEET
from tests.support.one_claim import ack_one, begin_one, finish_one
from tests.support.programs import eventually

KEYS = Keys.of("org/org.agent")
TARGET = "http://a:80"


@pytest.fixture
def ledger(redis_client: "redis.Redis") -> Ledger:
    return Ledger(redis_client, KEYS, Limits(port_rate=10, report_delay=0))


def fill(ledger: Ledger, count: int, target: str = TARGET, max_claims: int = 0, **more: object) -> None:
    """Invocations of their own for a target; `max_claims` of them are handed out."""
    accepted: Any = ledger.redis.hget(KEYS.counts, "accepted")
    first = int(accepted or 0)
    entries = [
        Entry(
            id=f"r_{target}_{first + n}",
            kind=Kind.ACTION_RUN,
            run=f"r_{first + n}",
            target=target,
            lane=f"{target} deploy",
            synchronized=False,
            origin=f"t/0/{first + n}",
            published_ms=round(time.time() * 1000),
            mapping="m",
            payload=b"sealed",
            unknown_outcome="park",
            max_attempts=3,
            **more,  # type: ignore[arg-type]
        )
        for n in range(count)
    ]
    ledger.accept([OffsetRange("t", 0, first, first + count)], entries, max_claims)


def seen(ledger: Ledger) -> FleetSnapshot:
    return take_snapshot(ledger)


def head(ledger: Ledger, name: str) -> tuple[str, float]:
    """The first of a sorted set, and its score."""
    found: Any = ledger.redis.zrange(name, 0, 0, withscores=True)
    return found[0][0].decode(), found[0][1]


def values(collector: FleetCollector) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by name and label values."""
    registry = CollectorRegistry()
    registry.register(collector)
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def collector(look_at: Callable[[], FleetSnapshot], letters: Counter[tuple[str, str]] | None = None) -> FleetCollector:
    return FleetCollector(look_at, lambda: letters, 2)


def background(ledger: Ledger, count: Callable[[], Counter[tuple[str, str]]], audit_s: float) -> BackgroundStats:
    def tidy() -> None:
        remove_sent_report_ages(ledger)

    return BackgroundStats(FleetAudit(ledger), count, tidy, audit_s)


def test_without_workers_everything_waits_for_slots(ledger: Ledger) -> None:
    """And with a pause, for somebody to take it back."""
    fill(ledger, 5)
    fleet = seen(ledger)
    assert (5, {"slots": 5}, 0, 0) == (fleet.backlog, +fleet.waiting, fleet.slots, fleet.in_flight)

    TargetControls(ledger.redis, KEYS, ledger.limits).set(TARGET, "", TargetControl(paused=True))
    assert {"paused": 5} == +seen(ledger).waiting
    assert seen(ledger).targets[0].paused


def test_what_the_claim_script_would_hand_out_is_what_waits_for_slots(ledger: Ledger) -> None:
    """The two know the same rules: rooms of lane and target, and what is in flight there."""
    ledger.heartbeat("w", 80)
    fill(ledger, 200)
    assert 50 == seen(ledger).waiting["slots"]
    claims, _ = ledger.pump()[:2]
    fleet = seen(ledger)

    assert 50 == len(claims) == fleet.in_flight == fleet.targets[0].in_flight
    assert {"concurrency": 150} == +fleet.waiting
    assert (80, 1) == (fleet.slots, fleet.workers)


def test_a_retry_waits_for_its_time_and_is_not_due_before(ledger: Ledger) -> None:
    """So it makes nothing old."""
    ledger.heartbeat("w", 1)
    fill(ledger, 1, max_claims=1)
    (claims, _), again = ledger.pump()[:2], AttemptEnd(State.WAITING, "http_500", delay_ms=60_000)
    assert not claims
    id = head(ledger, KEYS.leases)[0]
    begin_one(ledger, id, 1)
    finish_one(ledger, id, 1, again)

    assert {"retry": 1} == +seen(ledger).waiting
    assert 0 == seen(ledger).oldest_s


def test_the_oldest_report_tells_how_long_port_has_not_heard(ledger: Ledger) -> None:
    """Though each failed try puts its next one off; and it is over when Port has heard it."""
    fill(ledger, 1, reports=(b"L1",))
    for _ in range(3):
        (taken,) = ReportOutbox(ledger).lease(10, 1000)
        ack_one(ledger, taken, [b"L1"], 0)
    since = head(ledger, KEYS.outbox_since)[1]
    fleet = seen(ledger)
    assert fleet.reports == 1
    assert abs(fleet.report_age_s * 1000 - (fleet.now_ms - since)) < 1

    (taken,) = ReportOutbox(ledger).lease(10, 1000)
    ack_one(ledger, taken)
    assert (0, 0) == (seen(ledger).reports, seen(ledger).report_age_s)


def test_every_metric_of_the_table_is_served_and_no_other(ledger: Ledger) -> None:
    """The table is what documentation and dashboard are held against."""
    fill(ledger, 3)
    letters = Counter({("dead", "http_404"): 1, ("unknown", "read_timeout"): 1})
    slow = background(ledger, lambda: letters, audit_s=60)
    slow.start()
    eventually(lambda: ledger.redis.exists(KEYS.audit_result), "an audit")
    slow.stop()
    found = values(collector(lambda: seen(ledger), letters))

    names = {name + ("_total" if fact.type == "counter" else "") for name, fact in FLEET.items()}
    assert names == {name for name, _ in found}
    assert 0 == found["longshore_fleet_unaccounted", ()]
    assert set(CAUSES) == {labels[0] for name, labels in found if name == "longshore_fleet_waiting"}


def test_targets_beyond_the_most_are_one(ledger: Ledger) -> None:
    """The heaviest keep their names."""
    for number in range(1, 5):
        fill(ledger, number, f"http://t{number}:80")
    found = values(collector(lambda: seen(ledger)))
    waiting = {labels[0]: value for (name, labels), value in found.items() if name == "longshore_fleet_target_waiting"}

    assert {"http://t4:80": 4, "http://t3:80": 3, "other": 3} == waiting


def test_a_lost_invocation_is_found_by_the_audit(ledger: Ledger) -> None:
    """Somebody deleted a record: that is unaccounted, and told."""
    fill(ledger, 2)
    id = head(ledger, KEYS.waiting(f"{TARGET} deploy"))[0]
    ledger.redis.delete(KEYS.invocation(id))
    slow = background(ledger, Counter, audit_s=60)
    slow.start()
    eventually(lambda: ledger.redis.exists(KEYS.audit_result), "an audit")
    slow.stop()

    found = values(collector(lambda: seen(ledger)))
    assert 1 == found["longshore_fleet_unaccounted", ()]
    assert found["longshore_fleet_audit_problems", ()] >= 1


def test_one_process_audits_for_the_whole_fleet(ledger: Ledger) -> None:
    """The others show what it found."""
    first, second = (background(ledger, Counter, audit_s=600) for _ in range(2))
    first.start()
    eventually(lambda: ledger.redis.exists(KEYS.audit_result), "an audit")
    found = ledger.redis.get(KEYS.audit_result)
    second.start()
    eventually(lambda: second.failed_by_reason() is not None, "its first count")
    first.stop()
    second.stop()

    assert found == ledger.redis.get(KEYS.audit_result)


def test_without_redis_the_page_says_so_and_nothing_else(redis_server: EmbeddedRedis) -> None:
    """Old numbers would look like new ones."""
    client = connect(redis_server.url, timeout_s=1)
    fleet = collector(lambda: take_snapshot(Ledger(client, KEYS, Limits())))
    assert 1 == values(fleet)["longshore_fleet_redis_up", ()]
    redis_server.kill()

    eventually(lambda: values(fleet) == {("longshore_fleet_redis_up", ()): 0}, "that Redis is away")
    client.close()

"""Whatever a bug or a person leaves in Redis: the other invocations go on, and everything can be looked at."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery.target import lane_of
from longshore.ledger.activity import read_activity, read_target_counts
from longshore.ledger.audit import audit
from longshore.ledger.connection import connect
from longshore.ledger.entry import AttemptEnd, OffsetRange, StartedAttempt
from longshore.ledger.fleet_snapshot import take_snapshot
from longshore.ledger.ledger import Ledger
from longshore.ledger.partition_offsets import read_partition_offsets, read_unfinished_offsets
from longshore.ledger.record_lookup import RecordLookup
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.scan import Filter
from longshore.ledger.states import State
from longshore.ledger.stats import read_stats
from longshore.operations.leftovers import find_leftovers
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.damaged_ledger import ENDS, SEALER, TARGET, WELL, damage, entry, filled, values

SHARED = ("clock", "turn", "counts", "busy:target", "busy:lane")
"""What scripts count in, all of them in the same keys."""


@pytest.fixture(scope="module")
def client(shared_redis: EmbeddedRedis) -> Iterator["redis.Redis"]:
    client = connect(shared_redis.url)
    yield client
    client.close()


@pytest.mark.parametrize("score", [1e17, 9e99, float("inf")])
def test_a_time_beyond_all_times_is_never(client: "redis.Redis", score: float) -> None:
    """It once became the distant past on its way through a script, which visited its lane for ever."""
    ledger = filled(client).ledger
    client.zadd(ledger.keys.waiting(lane_of(TARGET, "deploy")), {"nobody": score})
    assert {"r_waiting", "r_retry"} == {claim.id for _ in range(2) for claim in ledger.pump().claims}


def test_a_record_without_a_number_keeps_no_other_from_its_start(client: "redis.Redis") -> None:
    """The claims of one answer are read one by one."""
    ledger = filled(client).ledger
    client.hset(ledger.keys.invocation("r_waiting"), "attempts", "nan")
    ledger.accept([OffsetRange("org.runs", 0, 7, 8)], [entry("r_new", TARGET, 7)], 0)
    assert {"r_waiting", "r_retry", "r_new"} == {claim.id for claim in ledger.pump().claims}


@pytest.mark.parametrize("field", ["o:", "b:"])
def test_a_damaged_control_holds_up_nobody(client: "redis.Redis", field: str) -> None:
    """Neither its own target nor the others; and it is shown as none."""
    access = filled(client)
    client.hset(access.ledger.keys.gates, f"{field}{TARGET}", "{")
    assert {"r_waiting", "r_retry"} == {claim.id for claim in access.ledger.pump().claims}
    assert not next(access.targets.statuses([TARGET])).control.paused


@given(data=st.data())
def test_damage_to_one_thing_stops_nothing_else(client: "redis.Redis", data: st.DataObject) -> None:
    """A pump, a heartbeat and an audit go on, all can be shown, and a new invocation of another target is delivered."""
    access = filled(client)
    ledger = access.ledger
    damage(client, data)
    assert_others_go_on(ledger)


@given(key=st.sampled_from(SHARED), value=values, as_list=st.booleans())
def test_what_all_count_in_is_counted_anew(client: "redis.Redis", key: str, value: bytes, as_list: bool) -> None:
    """Even where the key itself is of another type; and the lease clock does not go back."""
    ledger = filled(client).ledger
    name = ledger.keys.prefix + key
    before: Any = client.hget(ledger.keys.clock, "lease")
    client.delete(name)
    if as_list:
        client.lpush(name, value)
    else:
        client.set(name, value)

    assert_others_go_on(ledger)
    after: Any = client.hget(ledger.keys.clock, "lease")
    assert int(before) <= int(after)
    take_snapshot(ledger)


def assert_others_go_on(ledger: Ledger) -> None:
    accepted = ledger.accept([OffsetRange("org.runs", 1, 0, 1)], [entry("r_new", WELL, 0)], 10)
    claims = [*accepted.claims]
    ledger.heartbeat("worker-1", 100, [("r_begun", 1)])
    ledger.heartbeat("worker-2", 100)
    for _ in range(3):
        claims += ledger.pump().claims
    mine = next(claim for claim in claims if claim.id == "r_new")
    (attempt,) = ledger.load([(mine.id, mine.token)])
    assert isinstance(attempt, StartedAttempt)
    assert [int] == [type(answer) for answer in ledger.begin([(mine.id, mine.token)])]
    end = AttemptEnd(State.DONE, "delivered", attempt=SEALER.seal(b"{}"))
    assert ("done",) == ledger.finish([(attempt, end)]).states


@given(data=st.data())
def test_a_damaged_ledger_can_be_looked_at(client: "redis.Redis", data: st.DataObject) -> None:
    """By the audit, the metrics, Flower's pages and the commands; and what is due once a minute is done."""
    access = filled(client)
    ledger = access.ledger
    damage(client, data)

    audit(ledger)
    take_snapshot(ledger)
    read_stats(ledger)
    list(access.targets.statuses())
    list(access.invocations.find(Filter()))
    list(find_leftovers(access))
    access.requeue.jobs()
    for id in (*ENDS, "r_begun", "r_claimed", "r_waiting"):
        access.invocations.get(id)
        access.invocations.history(id)
    read_activity(ledger)
    read_target_counts(ledger)
    read_partition_offsets(ledger, [("org.runs", 0)])
    read_unfinished_offsets(ledger, [("org.runs", 0)])
    RecordLookup(ledger).id_at("org.runs/0/1")
    ledger.prune()
    for hash in ("gates", "starts"):
        ledger.sweep(hash, 0)
    ReportOutbox(ledger).lease(10, 1000)
    with suppress(redis.ResponseError):  # a damaged job is told of, and the others go on
        access.requeue.run_due()

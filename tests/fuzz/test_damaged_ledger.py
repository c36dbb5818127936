"""Whatever a bug or a person leaves in Redis: the other invocations go on, and everything can be looked at."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery.target import lane_of
from longshore.invocation.kinds import Kind
from longshore.ledger.audit import audit
from longshore.ledger.connection import connect
from longshore.ledger.entry import AttemptEnd, Entry, OffsetRange, StartedAttempt
from longshore.ledger.fleet_snapshot import take_snapshot
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.scan import Filter
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.ledger.stats import read_stats
from longshore.ledger.target_control import TargetControl
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.leftovers import find_leftovers
from longshore.runtime.embedded_redis import EmbeddedRedis

SEALER = Sealer("secret-0123456789")
TARGET = "http://a:80"
WELL = "http://well:80"
ENDS = {"r_done": State.DONE, "r_dead": State.DEAD, "r_unknown": State.UNKNOWN, "r_retry": State.WAITING}

SHARED = ("clock", "turn", "counts", "busy:")
"""Numbers that each script counts on: it ends with an error, and has changed nothing, rather than guess them."""

values = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"", b"-1", b"1e400", b"nan", b"0x10", b"[]", b"{}", b"null", b"\xff", b"9" * 40, b"done", b"1.5"]
    ),
)
scores = st.sampled_from([float("-inf"), -1.0, 0.0, 0.5, 1e15, 9e99, float("inf")])


@pytest.fixture(scope="module")
def client(shared_redis: EmbeddedRedis) -> Iterator["redis.Redis"]:
    client = connect(shared_redis.url)
    yield client
    client.close()


def entry(id: str, target: str, offset: int) -> Entry:
    return Entry(
        id=id,
        kind=Kind.ACTION_RUN,
        run=id,
        target=target,
        lane=lane_of(target, "deploy"),
        synchronized=False,
        origin=f"org.runs/0/{offset}",
        published_ms=1_767_225_600_000,
        mapping="0123456789abcdef",
        payload=SEALER.seal(b"{}"),
        unknown_outcome="park",
        reports=(b"L" + SEALER.seal(b"{}"),),
    )


def filled(client: "redis.Redis") -> LedgerAccess:
    """A ledger with an invocation in each state, and a target with a control."""
    client.flushall()
    access = LedgerAccess.build(Ledger(client, Keys.of("org/agent"), Limits()), SEALER)
    ledger = access.ledger
    ledger.heartbeat("worker-1", 100)
    ids = [*ENDS, "r_begun", "r_claimed"]
    entries = [entry(id, TARGET, n) for n, id in enumerate(ids)]
    claims = {claim.id: claim for claim in ledger.accept([OffsetRange("org.runs", 0, 0, len(ids))], entries, 10).claims}
    keys = [(id, claims[id].token) for id in ids[:-1]]
    started = [attempt for attempt in ledger.load(keys) if isinstance(attempt, StartedAttempt)]
    ledger.begin(keys)
    ends = [(attempt, end_of(attempt)) for attempt in started if attempt.id in ENDS]
    ledger.finish(ends, 0)
    ledger.accept([OffsetRange("org.runs", 0, 6, 7)], [entry("r_waiting", TARGET, 6)], 0)
    access.targets.set(TARGET, "", TargetControl(rate=1000.0))
    return access


def end_of(attempt: StartedAttempt) -> AttemptEnd:
    return AttemptEnd(ENDS[attempt.id], "http_503", attempt=SEALER.seal(b"{}"))


def damage(client: "redis.Redis", data: st.DataObject, but: tuple[str, ...]) -> None:
    """Changes one thing. Nothing in keys that begin with one of `but`."""
    found: Any = client.keys("*")
    names = sorted(name for name in found if not name.decode().partition("}:")[2].startswith(but))
    name = data.draw(st.sampled_from(names))
    kind, value = client.type(name), data.draw(values)
    if kind == b"hash":
        field = data.draw(st.sampled_from(sorted(client.hkeys(name))))
        client.hset(name, field, value)
    elif kind == b"zset":
        members: Any = client.zrange(name, 0, -1)
        member = data.draw(st.sampled_from(sorted(members)) | st.just(value))
        client.zadd(name, {member: data.draw(scores)})
    elif kind == b"list":
        client.lpush(name, value)
    else:
        client.set(name, value, keepttl=True)


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
    damage(client, data, SHARED)

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
    damage(client, data, ("clock",))

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
    ledger.prune()
    ledger.sweep("gates", 0)
    ledger.lease_reports(10, 1000)

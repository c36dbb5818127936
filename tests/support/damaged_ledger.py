"""A ledger with an invocation in each state, and damage to one thing in it, as a bug or a person may leave it."""

import json
from typing import Any

import redis
from hypothesis import strategies as st

from longshore.delivery.target import lane_of
from longshore.invocation.kinds import Kind
from longshore.ledger.entry import AttemptEnd, Entry, OffsetRange, StartedAttempt
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.scan import Filter
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.operations.ledger_access import LedgerAccess

SEALER = Sealer("secret-0123456789")
TARGET = "http://a:80"
WELL = "http://well:80"
ENDS = {"r_done": State.DONE, "r_dead": State.DEAD, "r_unknown": State.UNKNOWN, "r_retry": State.WAITING}

LAYOUT = b"layout"
"""A field of the clock that stops every script on purpose: of another layout none may touch the ledger."""

values = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"", b"-1", b"1e400", b"nan", b"0x10", b"[]", b"{}", b"null", b"\xff", b"9" * 40, b"done", b"1.5"]
    ),
)
scores = st.sampled_from([float("-inf"), -1.0, 0.0, 0.5, 1e15, 9e99, float("inf")])


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
    """A ledger with an invocation in each state, a target with a control, reports under way, and a requeue job."""
    client.flushall()
    limits = Limits(report_delay=0, port_rate=1000, rate=1000, open=True)
    access = LedgerAccess.build(Ledger(client, Keys.of("org/agent"), limits), SEALER)
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
    ReportOutbox(ledger).lease(2, 60_000)
    access.requeue.start_job(access.invocations.find(Filter()), RequeueRequest("op", "why"))
    return access


ATTEMPT = {
    "generation": 1, "attempt": 1, "at": 1_767_225_600.5, "reason": "http_503", "cause": "it answered 503",
    "status": 503, "sent": True, "duration_ms": 3.5, "response": "busy",
}  # fmt: skip


def end_of(attempt: StartedAttempt) -> AttemptEnd:
    return AttemptEnd(ENDS[attempt.id], "http_503", attempt=SEALER.seal(json.dumps(ATTEMPT).encode()))


def damage(client: "redis.Redis", data: st.DataObject, but: tuple[str, ...] = ()) -> None:
    """Changes one thing. Nothing in keys that begin with one of `but`, nor `LAYOUT`."""
    found: Any = client.keys("*")
    names = sorted(name for name in found if not name.decode().partition("}:")[2].startswith(but))
    name = data.draw(st.sampled_from(names))
    kind, value = client.type(name), data.draw(values)
    if kind == b"hash":
        fields: Any = client.hkeys(name)
        field = data.draw(st.sampled_from(sorted(set(fields) - {LAYOUT})))
        client.hset(name, field, value)
    elif kind == b"zset":
        members: Any = client.zrange(name, 0, -1)
        member = data.draw(st.sampled_from(sorted(members)) | st.just(value))
        client.zadd(name, {member: data.draw(scores)})
    elif kind == b"list":
        client.lpush(name, value)
    else:
        client.set(name, value, keepttl=True)

"""Invocations of one key are delivered one after the other, in the order in which they were accepted."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.ledger.acknowledgements import AckVerdict
from longshore.ledger.audit import audit
from longshore.ledger.entry import AttemptEnd, Claim, StartedAttempt
from longshore.ledger.fleet_snapshot import take_snapshot
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.order import Turn
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.operations.explain import describe_turn
from longshore.operations.ledger_access import LedgerAccess
from tests.support.ledger_census import census

from .conftest import entry, lapse, span, state, store

GO_ON, HOLD = "go_on 0a1b", "hold 0a1b"


def begin(ledger: Ledger, *claims: Claim) -> list[StartedAttempt]:
    pairs = [(claim.id, claim.token) for claim in claims]
    attempts = [one for one in ledger.load(pairs) if isinstance(one, StartedAttempt)]
    ledger.begin(pairs)
    return attempts


def finish(
    ledger: Ledger, attempt: StartedAttempt, result: str = "done", max_claims: int = 9, delay_ms: int = 0
) -> tuple[Claim, ...]:
    return ledger.finish([(attempt, AttemptEnd(State(result), "because", delay_ms=delay_ms))], max_claims).claims


def deliver_all(ledger: Ledger, result: Callable[[str], str] = lambda _: "done") -> list[str]:
    """What a fleet delivers until nothing starts any more, in the order in which it began."""
    began: list[str] = []
    while claims := ledger.pump().claims:
        for attempt in begin(ledger, *claims):
            began.append(attempt.id)
            finish(ledger, attempt, result(attempt.id), max_claims=0)
            if len(began) > 200:
                raise AssertionError("it does not end")
    return began


def ids(claims: Sequence[Claim]) -> list[str]:
    return [claim.id for claim in claims]


def access(ledger: Ledger) -> LedgerAccess:
    return LedgerAccess.build(ledger, Sealer("secret-0123456789"))


def requeue(ledger: Ledger, id: str, replay: bool = False) -> str:
    operator = access(ledger)
    record = operator.invocations.get(id)
    assert record is not None
    return operator.requeue.requeue_one(record, RequeueRequest("ann", "it is back", replay=replay))


def turn_of(ledger: Ledger, id: str) -> Turn | None:
    record = access(ledger).invocations.get(id)
    assert record is not None
    return access(ledger).invocations.read_turn(record)


@pytest.fixture
def three(ledger: Ledger) -> Callable[[str], list[StartedAttempt]]:
    """Three of one key and one of none; the first of the key has begun, as has the other."""

    def begun(order: str) -> list[StartedAttempt]:
        ordered = [entry(f"r_{n}", action=("x", "y")[n % 2], offset=n, order=order) for n in (3, 1, 2)]
        store(ledger, *ordered, entry("r_0", offset=4))
        return sorted(begin(ledger, *ledger.pump().claims), key=lambda one: one.id, reverse=True)

    return begun


def test_of_one_key_only_the_one_accepted_first_starts(ledger: Ledger, three: Callable[..., Any]) -> None:
    """Not the one with the smallest id; what has no key waits for nobody, and neither lane nor retry matters."""
    first, other = three(GO_ON)
    assert ("r_3", "r_0") == (first.id, other.id)

    assert () == finish(ledger, first, "waiting", delay_ms=60_000)
    assert ("begun", {"waiting"}) == (state(ledger, "r_0"), {state(ledger, id) for id in ("r_1", "r_2", "r_3")})


def test_the_end_of_one_claims_the_next(ledger: Ledger, three: Callable[..., Any]) -> None:
    """In the same call, so an order costs no wait for a pump."""
    first, _ = three(GO_ON)

    claims = finish(ledger, first)
    assert ["r_1"] == ids(claims)
    assert ["r_2"] == ids(finish(ledger, begin(ledger, *claims)[0], "dead"))
    assert [] == [*census(ledger.redis, ledger.keys).problems()]


@pytest.mark.parametrize("end", ["dead", "unknown"])
def test_behind_what_failed_the_others_are_held_where_that_is_asked_for(
    ledger: Ledger, three: Callable[..., Any], end: str
) -> None:
    """Until somebody requeues it: it keeps its place."""
    first, _ = three(HOLD)

    assert () == finish(ledger, first, end)
    turn = turn_of(ledger, "r_2")
    assert Turn(2, "r_3", State(end)) == turn
    assert f"behind 1 more, behind r_3, which is {end} and holds its order until" in describe_turn(turn)
    assert "requeued" == requeue(ledger, "r_3")
    assert ["r_3", "r_1", "r_2"] == deliver_all(ledger)


def test_a_discarded_one_holds_nobody(ledger: Ledger, three: Callable[..., Any]) -> None:
    """Nor does one whose retention has ended."""
    first, _ = three(HOLD)
    finish(ledger, first, "dead")

    assert 1 == access(ledger).invocations.purge(["r_3"])
    (claim,) = ledger.pump().claims
    finish(ledger, begin(ledger, claim)[0], "dead")
    assert () == ledger.pump().claims
    Ledger(ledger.redis, ledger.keys, Limits(keep_dead_count=0)).prune()
    assert ("r_1", ["r_2"]) == (claim.id, deliver_all(ledger))


def test_what_comes_back_gets_the_last_place(ledger: Ledger, three: Callable[..., Any]) -> None:
    """A requeue or replay is accepted anew; unless the others are held behind it."""
    first, _ = three(GO_ON)
    (second,) = begin(ledger, *finish(ledger, first, "unknown"))

    assert "requeued" == requeue(ledger, "r_3")
    finish(ledger, second, max_claims=0)
    assert "requeued" == requeue(ledger, "r_1", replay=True)
    assert ["r_2", "r_3", "r_1"] == deliver_all(ledger)


def test_a_late_answer_that_nothing_was_done_gets_the_last_place(ledger: Ledger, three: Callable[..., Any]) -> None:
    """The lease lapsed and the next one started; so it must not start beside it."""
    first, _ = three(GO_ON)
    lapse(ledger, "r_3")
    begin(ledger, *ledger.pump().claims)
    assert ("unknown", "begun") == (state(ledger, "r_3"), state(ledger, "r_1"))

    assert () == finish(ledger, first, "waiting")
    assert Turn(2, "r_1", State.BEGUN) == turn_of(ledger, "r_3")


def test_what_is_held_for_its_acknowledgement_has_its_place(ledger: Ledger) -> None:
    """Polled runs are ordered as they were stored, and one that is not ours holds nobody."""
    store(ledger, *(entry(f"r_{n}", offset=n, order=GO_ON, ack_after_ms=0) for n in (1, 2, 3)))
    acknowledgements = access(ledger).acknowledgements
    asked = {one.id: one for one in acknowledgements.lease(3, 1_000)}

    assert () == acknowledgements.settle([(asked["r_2"], AckVerdict.OURS)]).claims
    assert ["r_2"] == ids(acknowledgements.settle([(asked["r_1"], AckVerdict.NOT_OURS)]).claims)


def test_a_first_one_that_a_program_of_an_earlier_version_ended_holds_nobody_for_long(
    ledger: Ledger, three: Callable[..., Any]
) -> None:
    """It knows of no order; the next pump after the order's time looks."""
    first, _ = three(GO_ON)
    hidden = ledger.redis.hget(ledger.keys.invocation("r_3"), "order")
    ledger.redis.hdel(ledger.keys.invocation("r_3"), "order")
    assert () == finish(ledger, first)
    ledger.redis.hset(ledger.keys.invocation("r_3"), "order", str(hidden, "ascii"))  # type: ignore[arg-type]

    ledger.redis.zadd(ledger.keys.orders, {"0a1b": 0})
    assert ["r_1"] == ids(ledger.pump().claims)


def test_the_fleet_says_what_waits_for_its_turn(ledger: Ledger, three: Callable[..., Any]) -> None:
    """As a cause of its own, by target and lane too; and the audit knows where it stands."""
    three(GO_ON)

    assert 2 == take_snapshot(ledger).waiting["order"]
    assert [2, 1, 1] == [one.awaiting_turn for one in access(ledger).targets.statuses() if one.awaiting_turn]
    assert audit(ledger).is_balanced
    ledger.redis.delete(ledger.keys.orders)
    assert {"r_1", "r_2"} == {id for id, _ in audit(ledger).problems}


def test_without_an_order_nothing_of_it_is_in_redis(ledger: Ledger) -> None:
    """No key and no field, whatever happens."""
    store(ledger, *(entry(f"r_{n}", offset=n) for n in range(4)), entry("r_4", dead="malformed"))
    ends = {"r_0": "dead", "r_1": "unknown"}
    deliver_all(ledger, lambda id: ends.get(id, "done"))
    requeue(ledger, "r_0")
    access(ledger).invocations.purge(["r_4"])

    names: Any = ledger.redis.keys("*order*")
    assert [] == names
    assert "ordered" not in {name.decode() for name in ledger.redis.hkeys(ledger.keys.clock)}  # type: ignore[union-attr]


ORDERS = st.sampled_from(["", "", GO_ON, HOLD, "go_on 2c3d", "hold 2c3d"])
ARRIVALS = st.lists(st.tuples(ORDERS, st.sampled_from("xy")), min_size=1, max_size=12)
ENDS = st.lists(st.sampled_from(["done", "done", "waiting", "dead", "unknown", "lost", "given back"]), max_size=40)


@pytest.mark.timeout(600)
@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(ARRIVALS, min_size=1, max_size=3), ends=ENDS)
def test_in_every_history_each_key_keeps_its_order_and_nothing_starves(
    client: "redis.Redis", batches: list[list[tuple[str, str]]], ends: list[str]
) -> None:
    """What begins of a key was accepted after all of it that has begun before; one at a time; and all of it ends.

    Attempts end in every way, workers die, claims are given back; only what failed with `hold` is requeued at last.
    """
    client.flushall()
    ledger = Ledger(client, Keys.of("org/agent"), Limits(suspect=100))
    ledger.heartbeat("worker-1", 20)
    accepted: dict[str, list[str]] = {}
    began: dict[str, list[str]] = {}
    offset = 0
    for batch in batches:
        entries = []
        for order, action in batch:
            # Ids descend: Redis would hand out the newest first where nobody keeps the order.
            one = entry(
                f"r_{99 - offset}", action=action, offset=offset, order=order, unknown_outcome="retry", max_attempts=9
            )
            accepted.setdefault(order.partition(" ")[2], []).append(one.id)
            entries.append(one)
            offset += 1
        ledger.accept([span(offset - len(batch), offset)], entries, 0)
        work(ledger, ends[: len(ends) // len(batches)], began)
        del ends[: len(ends) // len(batches)]
    work(ledger, [], began)
    while held := [id for id, now in census(client, ledger.keys).states.items() if now in ("dead", "unknown")]:
        for id in held:
            requeue(ledger, id)
        work(ledger, [], {})

    assert {"done"} == set(census(client, ledger.keys).states.values())
    for hash, in_turn in began.items():
        if hash:
            assert in_turn == [id for id in accepted[hash] if id in in_turn]
    assert not client.keys(f"{ledger.keys.prefix}order*")
    assert audit(ledger).is_balanced


def work(ledger: Ledger, ends: list[str], began: dict[str, list[str]]) -> None:
    """The fleet works until nothing can start; `began` gets what began, by order, each once."""
    records = census(ledger.redis, ledger.keys).records
    orders = {id: record.get("order", "").partition(" ")[2] for id, record in records.items()}
    results = iter(ends)
    while claims := ledger.pump(5).claims:
        in_flight = [orders[claim.id] for claim in claims if orders[claim.id]]
        assert len(in_flight) == len(set(in_flight))
        for claim in claims:
            result = next(results, "done")
            if result == "given back":
                ledger.release([(claim.id, claim.token)])
                continue
            for attempt in begin(ledger, claim):
                seen = began.setdefault(orders[claim.id], [])
                if claim.id not in seen:
                    seen.append(claim.id)
                if result == "lost":
                    lapse(ledger, claim.id)
                else:
                    finish(ledger, attempt, result, max_claims=0)
        assert [] == census(ledger.redis, ledger.keys).problems()

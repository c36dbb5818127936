"""Runs that are held until Port has answered: what each answer makes of them, and what a crash leaves."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from longshore.ledger.acknowledgements import RETRY_MS, Acknowledgements, AckVerdict, PendingAck
from longshore.ledger.audit import audit
from longshore.ledger.entry import AttemptEnd, Claim, StartedAttempt
from longshore.ledger.faults import LedgerFault
from longshore.ledger.ledger import Ledger
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.states import State
from tests.integration.ledger.conftest import entry, state

LEASE_MS = 60_000


@pytest.fixture
def acks(ledger: Ledger) -> Acknowledgements:
    return Acknowledgements(ledger.redis, ledger.keys, ledger.limits)


def hold(ledger: Ledger, *ids: str, after_ms: int = 0, dead: str = "", reports: tuple[bytes, ...] = ()) -> list[str]:
    """Store claimed runs; returns what the ledger says of each."""
    entries = [
        replace(entry(id), origin=f"polling/{id}", ack_after_ms=after_ms, dead=dead, reports=reports) for id in ids
    ]
    return list(ledger.accept((), entries).results)


def deliver(ledger: Ledger, claim: Claim) -> None:
    """A worker sends it, and its target takes it."""
    key = (claim.id, claim.token)
    (attempt,) = ledger.load([key])
    assert isinstance(attempt, StartedAttempt)
    assert isinstance(ledger.begin([key])[0], int)
    assert (State.DONE,) == ledger.finish([(attempt, AttemptEnd(State.DONE, "delivered"))]).states


def lapse(ledger: Ledger, *ids: str) -> None:
    """Whoever was to acknowledge these has not come back."""
    ledger.redis.zadd(ledger.keys.acks, dict.fromkeys(ids, -1))


def lease(acks: Acknowledgements) -> list[PendingAck]:
    return acks.lease(100, LEASE_MS)


def test_what_is_held_is_not_dispatched(ledger: Ledger, acks: Acknowledgements) -> None:
    """Nothing may be sent before Port was told."""
    assert ["accepted"] == hold(ledger, "r_1")

    assert State.HELD == state(ledger, "r_1")
    assert () == ledger.pump().claims
    assert 0 == ledger.backlog()
    assert audit(ledger).is_balanced


def test_what_is_ours_starts_at_once(ledger: Ledger, acks: Acknowledgements) -> None:
    """Its claim comes with the answer, as with what is accepted from Kafka."""
    hold(ledger, "r_1")

    settlement = acks.settle([(ack, AckVerdict.OURS) for ack in lease(acks)])

    assert (State.WAITING,) == settlement.outcomes
    assert ["r_1"] == [claim.id for claim in settlement.claims]
    deliver(ledger, settlement.claims[0])
    assert audit(ledger).is_balanced


def test_what_is_not_ours_is_forgotten(ledger: Ledger, acks: Acknowledgements) -> None:
    """Nothing of it is left, nothing is reported, and the books balance."""
    hold(ledger, "r_1", reports=(b"Lone",))

    settlement = acks.settle([(ack, AckVerdict.NOT_OURS) for ack in lease(acks)])

    assert ("gone",) == settlement.outcomes
    assert [False] == ledger.exist(["r_1"])
    assert [] == [key for key in ledger.redis.keys("*") if b"r_1" in key]
    assert [] == ReportOutbox(ledger).lease(10, 1000)
    assert audit(ledger).is_balanced
    assert ["accepted"] == hold(ledger, "r_1")  # Port may give it to us after all


def test_nobody_else_asks_while_one_does(ledger: Ledger, acks: Acknowledgements) -> None:
    """Each run is one replica's, for as long as a call may take."""
    hold(ledger, "r_1", "r_2", "r_3")

    first, rest, nothing = acks.lease(2, LEASE_MS), acks.lease(2, LEASE_MS), acks.lease(2, LEASE_MS)

    assert {"r_1", "r_2", "r_3"} == {ack.id for ack in (*first, *rest)}
    assert (2, 1, []) == (len(first), len(rest), nothing)


def test_port_is_asked_no_earlier_than_redis_is_safe(ledger: Ledger, acks: Acknowledgements) -> None:
    """A Redis that crashes may lose its last second; what Port was told by then would be lost for good."""
    hold(ledger, "r_1", after_ms=3_000)

    assert [] == lease(acks)
    ledger.redis.zincrby(ledger.keys.acks, -3_000, "r_1")
    assert ["r_1"] == [ack.id for ack in lease(acks)]


def test_who_asks_after_a_crash_knows_that_somebody_may_have_asked(ledger: Ledger, acks: Acknowledgements) -> None:
    """And the late answer of the one that was presumed dead changes nothing."""
    hold(ledger, "r_1")
    (first,) = lease(acks)
    lapse(ledger, "r_1")
    (second,) = lease(acks)

    assert (True, False) == (first.is_first, second.is_first)
    assert ("stale",) == acks.settle([(first, AckVerdict.NOT_OURS)]).outcomes
    assert State.HELD == state(ledger, "r_1")
    assert (State.WAITING,) == acks.settle([(second, AckVerdict.OURS)]).outcomes
    assert ("stale",) == acks.settle([(first, AckVerdict.NOT_OURS)]).outcomes
    assert [True] == ledger.exist(["r_1"])


def test_what_port_has_not_heard_is_asked_again_as_the_first_time(ledger: Ledger, acks: Acknowledgements) -> None:
    """No call has reached Port, so a refusal of the next one is still somebody else's claim."""
    hold(ledger, "r_1")

    assert (State.HELD,) == acks.settle([(ack, AckVerdict.NOT_HEARD) for ack in lease(acks)]).outcomes
    assert [] == lease(acks)
    ledger.redis.zincrby(ledger.keys.acks, -RETRY_MS, "r_1")
    assert [True] == [ack.is_first for ack in lease(acks)]


def test_a_doubt_is_not_forgotten_over_a_call_that_never_left(ledger: Ledger, acks: Acknowledgements) -> None:
    """The first may have reached Port and the second surely not: a refusal of the third says nothing."""
    hold(ledger, "r_1")
    lease(acks)
    lapse(ledger, "r_1")
    acks.settle([(ack, AckVerdict.NOT_HEARD) for ack in lease(acks)])
    lapse(ledger, "r_1")

    assert [False] == [ack.is_first for ack in lease(acks)]


def test_what_is_given_out_again_although_it_is_ours_is_only_acknowledged(
    ledger: Ledger, acks: Acknowledgements
) -> None:
    """An acknowledgement was lost, and nobody knew: the run was delivered all the same."""
    hold(ledger, "r_1")
    (claim,) = acks.settle([(ack, AckVerdict.OURS) for ack in lease(acks)]).claims
    deliver(ledger, claim)

    assert ["repeated"] == hold(ledger, "r_1")
    for verdict in (AckVerdict.NOT_HEARD, AckVerdict.NOT_OURS):
        (ack,) = lease(acks)
        settlement = acks.settle([(ack, verdict)])
        assert ((State.DONE,), ()) == (settlement.outcomes, settlement.claims)
        ledger.redis.zincrby(ledger.keys.acks, -RETRY_MS, "r_1") if verdict is AckVerdict.NOT_HEARD else None
    assert 0 == acks.count()
    assert State.DONE == state(ledger, "r_1")
    assert audit(ledger).is_balanced


def test_a_run_given_out_again_while_it_is_asked_about_is_asked_once(ledger: Ledger, acks: Acknowledgements) -> None:
    """Its claim lapsed while Port took long to answer."""
    hold(ledger, "r_1")
    lease(acks)

    assert ["repeated"] == hold(ledger, "r_1")
    assert [] == lease(acks)


def test_a_dead_letter_is_one_only_once_it_is_ours(ledger: Ledger, acks: Acknowledgements) -> None:
    """Port hears FAILURE of what we have, and nothing of what another agent delivers."""
    hold(ledger, "r_1", "r_2", dead="not_for_agent", reports=(b"Sone",))
    assert [] == ReportOutbox(ledger).lease(10, 1000)

    first, second = lease(acks)
    settlement = acks.settle([(first, AckVerdict.OURS), (second, AckVerdict.NOT_OURS)])

    assert (State.DEAD, "gone") == settlement.outcomes
    assert [(first.id, (b"Sone",))] == [(each.id, each.items) for each in ReportOutbox(ledger).lease(10, 1000)]
    assert b"not_for_agent" == ledger.redis.hget(ledger.keys.invocation(first.id), "reason")
    assert audit(ledger).is_balanced


def test_one_run_that_breaks_the_script_harms_no_other(ledger: Ledger, acks: Acknowledgements) -> None:
    """Each is judged alone."""
    hold(ledger, "r_1", "r_2")
    ledger.redis.hdel(ledger.keys.invocation("r_1"), "lane")
    pending = sorted(lease(acks), key=lambda ack: ack.id)

    outcomes = acks.settle([(ack, AckVerdict.OURS) for ack in pending]).outcomes

    assert State.WAITING == outcomes[1]
    assert isinstance(outcomes[0], LedgerFault)
    assert (State.HELD, 1) == (state(ledger, "r_1"), acks.count())


def test_no_more_is_claimed_than_can_start(make_ledger: Callable[..., Ledger]) -> None:
    """The fleet's slots, less what is in flight, less what is still to be acknowledged."""
    ledger = make_ledger()
    acks = Acknowledgements(ledger.redis, ledger.keys, ledger.limits)
    assert 0 == acks.room()
    ledger.heartbeat("worker-1", 5)
    assert 5 == acks.room()

    hold(ledger, "r_1", "r_2")
    assert 3 == acks.room()
    pending = lease(acks)
    acks.settle([(pending[0], AckVerdict.OURS), (pending[1], AckVerdict.NOT_OURS)])
    assert 4 == acks.room()
    hold(ledger, *(f"r_{number}" for number in range(3, 12)))
    assert 0 == acks.room()


def test_what_waits_too_long_is_counted(ledger: Ledger, acks: Acknowledgements) -> None:
    """For `longshore doctor`: nobody polls, or Port does not answer."""
    hold(ledger, "r_1", "r_2")
    assert (2, 0) == (acks.count(), acks.count_overdue(60))

    ledger.redis.zincrby(ledger.keys.acks, -61_000, "r_1")
    assert (2, 1) == (acks.count(), acks.count_overdue(60))

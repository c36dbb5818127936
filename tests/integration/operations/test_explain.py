"""One explanation of an invocation: what happened, and why it stands where it does."""

import pytest

from longshore.ledger.reasons import CAUSES
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.seal import Sealer
from longshore.ledger.target_control import Hold
from longshore.operations.explain import AttemptEvent, HeldBack, RequeueEvent, SealedEvent, explain
from longshore.operations.find import find_invocations
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.requeue import requeue
from longshore.operations.steer import steer_target

from .conftest import end, put


def test_attempts_and_requeues_are_told_in_order_with_the_cause_of_the_end(access: LedgerAccess) -> None:
    """The cause is what the last attempt says; nothing is wrong with what was delivered."""
    put(access, "r_1")
    end(access)
    requeue(access, [("r_1", None)], RequeueRequest("ann", "hook is back"))
    (letter,) = find_invocations(access, "r_1")
    assert "" == explain(access, letter).cause
    end(access)
    (letter,) = find_invocations(access, "r_1")

    explanation = explain(access, letter)

    first, note, second = explanation.events
    assert isinstance(first, AttemptEvent)
    assert ("http_404", 404, True, 2000) == (first.reason, first.status, first.sent, first.at_ms)
    assert isinstance(note, RequeueEvent)
    assert ("ann", "hook is back", False) == (note.actor, note.why, note.replay)
    assert isinstance(second, AttemptEvent)
    assert "no hook" == explanation.cause


def test_what_ended_without_an_attempt_has_a_cause_too(access: LedgerAccess) -> None:
    """By its reason, in words; a reason nobody has words for is told as it is."""
    put(access, "r_1", dead="bad_signature")
    put(access, "r_2", dead="some_reason")

    causes = [explain(access, letter).cause for id in ("r_1", "r_2") for letter in find_invocations(access, id)]

    assert [CAUSES["bad_signature"], "some reason"] == causes


def test_what_cannot_be_opened_says_so(access: LedgerAccess) -> None:
    """With another client secret, say."""
    put(access, "r_1")
    end(access)
    blind = LedgerAccess.build(access.ledger, Sealer("another secret"))
    (letter,) = find_invocations(blind, "r_1")

    (event,) = explain(blind, letter).events

    assert isinstance(event, SealedEvent)
    assert event.problem


@pytest.mark.parametrize("action", ["", "deploy"])
def test_what_waits_at_a_paused_target_or_action_says_so(access: LedgerAccess, action: str) -> None:
    """And nothing of the kind once it is resumed."""
    put(access, "r_1", action="deploy")
    (record,) = find_invocations(access, "r_1")
    steer_target(access, record.target, action, "pause", "ann")

    paused = explain(access, record)
    steer_target(access, record.target, action, "resume", "ann")

    name = record.lane if action else record.target
    assert (HeldBack(name, Hold.PAUSED), f"until somebody resumes {name}, which is paused") == (
        paused.held_back,
        paused.wait,
    )
    assert (None, "") == (explain(access, record).held_back, explain(access, record).wait)


def test_what_waits_at_a_broken_target_says_so_unless_it_is_paused_as_well(access: LedgerAccess) -> None:
    """A person has to end a pause; a breaker closes by itself. What does not wait is held back by neither."""
    put(access, "r_1", action="deploy")
    put(access, "r_2", dead="http_404")
    ledger = access.ledger
    ledger.redis.hset(ledger.keys.gates, "b:http://a:80 deploy", f"5|{ledger.clock_ms() + 60_000}|1|0|")
    record, dead = (next(find_invocations(access, id)) for id in ("r_1", "r_2"))

    broken = explain(access, record)
    steer_target(access, record.target, "", "pause", "ann")

    assert HeldBack(record.lane, Hold.BREAKER) == broken.held_back
    assert "for the breaker of http://a:80 deploy, which is open" == broken.wait
    assert HeldBack(record.target, Hold.PAUSED) == explain(access, record).held_back
    assert explain(access, dead).held_back is None

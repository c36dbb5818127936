"""One explanation of an invocation: what happened, and why it stands where it does."""

from longshore.ledger.reasons import CAUSES
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.seal import Sealer
from longshore.operations.explain import AttemptEvent, RequeueEvent, SealedEvent, explain
from longshore.operations.find import find_invocations
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.requeue import requeue

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

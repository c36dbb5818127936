"""The token: asked for rarely, renewed in time, one request at a time."""

import threading

import pytest

from longshore.errors import PortUnavailable
from longshore.port.tokens import SETTLED_S, Token, Tokens
from tests.support.port_clock import Clock


class Source:
    """Gives out numbered tokens, or fails."""

    def __init__(self) -> None:
        self.count = 0
        self.failing = False

    def __call__(self) -> Token:
        self.count += 1
        if self.failing:
            raise PortUnavailable("no")
        return Token(f"t{self.count}", 100.0)


def test_a_token_is_renewed_before_it_ends() -> None:
    """At nine tenths of its life, and not earlier."""
    clock, source = Clock(), Source()
    tokens = Tokens(source, clock)

    assert "t1" == tokens.current()
    clock.now += 89
    assert "t1" == tokens.current()
    clock.now += 2
    assert "t2" == tokens.current()


def test_one_refusal_seen_by_many_costs_one_renewal() -> None:
    """Hundreds of threads may have used the token that was just refused."""
    source = Source()
    tokens = Tokens(source, Clock())
    old = tokens.current()
    threads = [threading.Thread(target=tokens.replace_refused, args=(old,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 2 == source.count


def test_failures_are_not_repeated_at_once() -> None:
    """Port allows few unauthenticated calls; the wait doubles up to its end, and success forgets it."""
    clock, source = Clock(), Source()
    tokens = Tokens(source, clock)
    source.failing = True
    waits = []
    for _ in range(7):
        with pytest.raises(PortUnavailable) as caught:
            tokens.current()
        assert caught.value.retry_after_s is not None
        waits.append(caught.value.retry_after_s)
        with pytest.raises(PortUnavailable):
            tokens.current()
        clock.now += waits[-1]

    assert [1, 2, 4, 8, 16, 32, 32] == waits
    assert 7 == source.count
    source.failing = False
    assert "t8" == tokens.current()


def test_a_refused_fresh_token_holds_off_too() -> None:
    """Otherwise every call would cost a token call."""
    clock, source = Clock(), Source()
    tokens = Tokens(source, clock)
    tokens.current()
    assert 1.0 == tokens.note_second_refusal().retry_after_s

    with pytest.raises(PortUnavailable):
        tokens.current()
    clock.now += 1
    assert "t2" == tokens.current()
    tokens.note_success()
    clock.now += SETTLED_S
    assert 1.0 == tokens.note_second_refusal().retry_after_s


def test_a_refusal_of_one_call_holds_off_no_others() -> None:
    """Other calls are taken with the same token: another would change nothing for this one."""
    clock, source = Clock(), Source()
    tokens = Tokens(source, clock)
    for _ in range(20):
        fresh = tokens.replace_refused(tokens.current()) if source.count < 2 else tokens.current()
        tokens.note_success()
        assert tokens.note_second_refusal().retry_after_s is None
        with pytest.raises(PortUnavailable):
            tokens.replace_refused(fresh)
        assert fresh == tokens.current()
        clock.now += 1

    assert 2 == source.count


def test_the_token_is_in_no_repr() -> None:
    """Reprs end up in logs."""
    assert "secret" not in repr(Token("secret", 1.0))

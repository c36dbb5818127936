"""A token is renewed before it ends, asked for sparingly, and used as long as it lives where no other is to be had."""

import pytest

from longshore.delivery.access_tokens import HOLD_OFF_S, LEEWAY_S, MAX_HOLD_OFF_S, SETTLED_S, AccessTokens
from longshore.delivery.issued_credential import IssuedCredential, NoToken
from longshore.delivery.token_request import AccessToken


class TokenServer:
    """Gives `t1`, `t2` … for an hour each, by a clock that a test sets; or fails."""

    def __init__(self) -> None:
        self.now, self.fetches, self.life_s = 1000.0, 0, 3600.0
        self.failure: NoToken | None = None
        self.tokens = AccessTokens("idp", "Authorization", self._fetch, lambda: self.now)

    def _fetch(self) -> AccessToken:
        self.fetches += 1
        if self.failure is not None:
            raise self.failure
        return AccessToken(f"t{self.fetches}", self.life_s)

    def value(self) -> str:
        """What a delivery is given now."""
        return (self.tokens.current() or self.tokens.issue()).value


@pytest.fixture
def server() -> TokenServer:
    return TokenServer()


def test_it_is_renewed_before_it_ends(server: TokenServer) -> None:
    """A short-lived one at a share of its life."""
    assert "Bearer t1" == server.value()
    server.now += 3600 - LEEWAY_S - 1
    assert "Bearer t1" == server.value()
    server.now += 1
    assert server.tokens.current() is None
    server.life_s = 10
    assert "Bearer t2" == server.value()
    server.now += 7
    assert "Bearer t2" == server.value()
    server.now += 1
    assert "Bearer t3" == server.value()


def test_a_failure_is_told_to_all_for_a_while(server: TokenServer) -> None:
    """As long as the token server says, if it says it."""
    server.failure = NoToken("idp", "busy", 60)
    for _ in range(3):
        with pytest.raises(NoToken, match="no token from idp: busy"):
            server.value()
    assert 1 == server.fetches
    server.now += 59
    with pytest.raises(NoToken):
        server.tokens.current()
    server.now, server.failure = server.now + 1, None

    assert "Bearer t2" == server.value()


def test_a_wait_without_end_is_cut_short(server: TokenServer) -> None:
    """Once read it would keep all deliveries of a target from their token until each worker is restarted."""
    server.failure = NoToken("idp", "busy", 1e20)
    with pytest.raises(NoToken):
        server.value()
    with pytest.raises(NoToken) as refused:
        server.tokens.current()
    assert refused.value.retry_after_s == MAX_HOLD_OFF_S
    server.now, server.failure = server.now + MAX_HOLD_OFF_S, None
    assert "Bearer t2" == server.value()


def test_a_token_that_still_lives_bridges_a_failure(server: TokenServer) -> None:
    server.value()
    server.now += 3600 - LEEWAY_S
    server.failure = NoToken("idp", "away")

    assert ["Bearer t1"] * 2 == [server.value() for _ in range(2)]
    assert 2 == server.fetches
    server.now += HOLD_OFF_S
    assert "Bearer t1" == server.value()
    server.now += LEEWAY_S
    with pytest.raises(NoToken):
        server.value()


def test_of_all_who_see_a_refusal_the_first_asks(server: TokenServer) -> None:
    """And a fresh one that is refused, too, is not replaced for a while."""
    refused = server.tokens.issue()
    replacements = [server.tokens.replace(refused) for _ in range(3)]

    assert ["Bearer t2"] * 3 == [each.value for each in replacements if each is not None]
    fresh = server.tokens.current()
    assert isinstance(fresh, IssuedCredential)
    assert server.tokens.replace(fresh) is None
    assert "Bearer t2" == server.value()
    server.now += SETTLED_S
    assert server.tokens.replace(fresh) is not None
    assert 3 == server.fetches


def test_nothing_of_it_is_in_a_repr(server: TokenServer) -> None:
    assert "t1" not in repr(server.tokens.issue()) + repr(AccessToken("t1", 5))

"""The access tokens of the fake Port: given out for credentials, good for a while."""

import secrets
import time

NO_CLIENT = ("", "")


class FakeTokens:
    """Tokens that live `life_s` seconds. Any credentials are accepted unless `client`, an id and a secret, is given."""

    def __init__(self, client: tuple[str, str], life_s: float) -> None:
        self.life_s = life_s
        self._client = client
        self._ends: dict[str, float] = {}

    def issue(self, client_id: str, client_secret: str) -> str | None:
        """A new token; None for wrong credentials."""
        if self._client != NO_CLIENT and (client_id, client_secret) != self._client:
            return None
        now = time.monotonic()
        self._ends = {token: end for token, end in self._ends.items() if end > now}
        token = secrets.token_urlsafe(24)
        self._ends[token] = now + self.life_s
        return token

    def living(self) -> list[str]:
        """Those that have not been revoked, oldest first; an ended one is there until the next is issued."""
        return list(self._ends)

    def is_valid(self, authorization: str) -> bool:
        """Whether the header `authorization` has a token that has not ended."""
        scheme, _, token = authorization.partition(" ")
        return scheme == "Bearer" and self._ends.get(token, 0.0) > time.monotonic()

    def revoke(self) -> None:
        """End all of them."""
        self._ends.clear()

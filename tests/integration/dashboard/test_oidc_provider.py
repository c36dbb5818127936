"""What is believed of a provider of OpenID Connect, over real sockets."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc.jwk import ECKey

from longshore.dashboard.oidc_provider import LoginRefused, OidcProvider
from tests.support.oidc_server import CLIENT, REDIRECT_URI, OidcServer


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with OidcServer() as server:
        server.user = {"email": "ann@acme.io", "email_verified": True, "groups": ["sre"]}
        yield server


def log_in(server: OidcServer, verifier: str = "v" * 43, nonce: str = "n") -> dict[str, Any]:
    """The claims, as after a login in a browser that was sent there with the verifier v… and the nonce n."""
    with closing(OidcProvider(server.issuer + "/", *CLIENT, REDIRECT_URI)) as provider:
        url = provider.authorization_url("openid email", "state", "n", "v" * 43)
        location = requests.get(url, allow_redirects=False, timeout=60).headers["Location"]
        answer = parse_qs(urlsplit(location).query)
        assert ["state"] == answer["state"]
        return provider.read_claims(answer["code"][0], nonce, verifier)


@pytest.mark.parametrize("methods", [None, ["client_secret_post"], ["client_secret_basic", "private_key_jwt"]])
def test_a_login_gives_the_claims_of_token_and_userinfo(server: OidcServer, methods: list[str] | None) -> None:
    """Wherever the provider has its addresses, and however it wants the client's secret."""
    if methods:
        server.metadata = {"token_endpoint_auth_methods_supported": methods}
    claims = log_in(server)

    assert ("7", "ann@acme.io", ["sre"]) == (claims["sub"], claims["email"], claims["groups"])


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "other"}, {"nonce": None}, {"aud": "other"}, {"iss": "https://evil.example"}, {"exp": 1}, {"exp": None},
     {"sub": None}],
)  # fmt: skip
def test_a_token_that_is_not_for_this_login_is_refused(server: OidcServer, claims: dict[str, Any]) -> None:
    """Replayed, for another client, of another provider, or old."""
    server.token_claims = claims

    with pytest.raises(LoginRefused, match="ID token is not valid"):
        log_in(server)


def test_a_token_signed_by_somebody_else_is_refused(server: OidcServer) -> None:
    """Though it names the provider's key."""
    server.other_key = ECKey.generate_key("P-256", {"kid": "1"})

    with pytest.raises(LoginRefused, match="ID token is not valid"):
        log_in(server)


def test_a_code_is_of_use_to_nobody_but_who_asked_for_it(server: OidcServer) -> None:
    """Without the verifier it is not redeemed, and the text does not tell it."""
    with pytest.raises(LoginRefused, match=r"answered 400 at http://.*/token") as refused:
        log_in(server, verifier="w" * 43)

    assert "code" not in str(refused.value)


def test_the_claims_are_those_of_the_user_who_logged_in(server: OidcServer) -> None:
    server.user["sub"] = "8"

    with pytest.raises(LoginRefused, match="another user"):
        log_in(server)


def test_a_provider_that_is_another_or_away_is_named(server: OidcServer) -> None:
    server.metadata = {"issuer": "https://other.example"}
    with pytest.raises(LoginRefused, match="FLOWER_OIDC_ISSUER must be its issuer"):
        log_in(server)
    with (
        closing(OidcProvider("http://127.0.0.1:1", *CLIENT, REDIRECT_URI)) as provider,
        pytest.raises(LoginRefused, match=r"no answer at http://127\.0\.0\.1:1/"),
    ):
        provider.authorization_url("openid", "s", "n", "v")

"""Whatever a login provider or a token server answers: claims or a token, or an error of ours, and nothing else."""

import json
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from longshore.dashboard.oidc_provider import LoginRefused, OidcProvider
from longshore.delivery.issued_credential import NoToken
from longshore.delivery.outcome import Outcome, Response, Verdict
from longshore.delivery.token_request import read_answer
from longshore.invocation.masking import Mask
from tests.support.replaying import ReplayingServer

KEY = ECKey.generate_key("P-256", {"kid": "1"})
NAMES = [
    "issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "keys", "kty", "kid", "crv",
    "x", "y", "id_token", "access_token", "sub", "exp", "aud", "iss", "nonce", "token_endpoint_auth_methods_supported",
    "token_type", "expires_in", "scope", "error", "error_description",
]  # fmt: skip
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "EC", "http://[", "\0"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayingServer]:
    with ReplayingServer() as server:
        yield server


def _response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@given(place=st.sampled_from(["metadata", "tokens", "claims", "keys", "userinfo"]), name=st.sampled_from(NAMES),
       value=odd, raw=st.none() | st.binary(max_size=20) | st.just(b"[" * 20_000))  # fmt: skip
def test_a_login_provider_that_answers_anything_logs_in_nobody_else(
    server: ReplayingServer, place: str, name: str, value: object, raw: bytes | None
) -> None:
    """One thing in its answers is odd. The user is who the provider says, or nobody."""
    url = server.url("")
    claims = {"iss": url, "aud": "client", "sub": "7", "nonce": "n", "exp": 4_000_000_000}
    endpoints = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
    answers: dict[str, dict[str, object]] = {
        "metadata": {"issuer": url, **{each: f"{url}/{each}" for each in endpoints}},
        "tokens": {"access_token": "x"},
        "keys": {**KeySet([KEY]).as_dict(private=False)},
        "userinfo": {"sub": "7"},
        "claims": {**claims},
    }
    answers[place][name] = value
    answers["tokens"].setdefault("id_token", jwt.encode({"alg": "ES256", "kid": "1"}, answers["claims"], KEY))
    bodies = {each: json.dumps(answer).encode() for each, answer in answers.items()} | ({place: raw} if raw else {})
    server.replies = {
        "/.well-known/openid-configuration": _response(bodies["metadata"]),
        "/token_endpoint": _response(bodies["tokens"]),
        "/jwks_uri": _response(bodies["keys"]),
        "/userinfo_endpoint": _response(bodies["userinfo"]),
    }
    with closing(OidcProvider(url, "client", "secret", "http://here/login")) as provider, suppress(LoginRefused):
        provider.authorization_url("openid", "state", "n", "verifier")
        assert "7" == provider.read_claims("code", "n", "verifier")["sub"]


@given(body=odd.map(json.dumps) | st.text(max_size=30), status=st.sampled_from([200, 302, 400, 401, 429, 500]))
def test_a_token_server_that_answers_anything_gives_a_token_or_none(body: str, status: int) -> None:
    """A token that a header can hold, for a time that is one."""
    outcome = Outcome(Verdict.DELIVERED, True, "delivered", "", response=Response(status, {}, body, False))
    with suppress(NoToken):
        token = read_answer(outcome, "idp.example", Mask(("secret",)))
        assert token.text.isprintable()
        assert 0 < token.life_s < 1e9

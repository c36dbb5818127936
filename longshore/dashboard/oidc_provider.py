"""A provider of OpenID Connect: where it asks users to log in, and what it tells of who did. Calls block."""

import base64
import hashlib
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from longshore.errors import LongshoreError
from longshore.network.adapter import SharedTlsAdapter
from longshore.network.tls import Tls

TIMEOUT_S = 10.0
CLOCK_SKEW_S = 60

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
"""Signatures with public keys. The others would be made with a secret, or with nothing."""


class LoginRefused(LongshoreError):
    """Nobody is logged in; the text says why, and holds neither code nor token."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class OidcProvider:
    """The provider at `issuer`, for the client with this id and secret that is reached at `redirect_uri`."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, redirect_uri: str) -> None:
        self._issuer = issuer.rstrip("/")
        self._client = (client_id, client_secret)
        self._redirect_uri = redirect_uri
        # Proxies as requests finds them; trusted as all our clients trust.
        self._session = requests.Session()
        self._session.mount("https://", SharedTlsAdapter(2, proxy_tls=Tls()))

    def authorization_url(self, scopes: str, state: str, nonce: str, verifier: str) -> str:
        """Where the browser is sent. `verifier` is PKCE's (RFC 7636): without it nobody can redeem the code."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._client[0],
            "redirect_uri": self._redirect_uri,
            "scope": scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def read_claims(self, code: str, nonce: str, verifier: str) -> dict[str, Any]:
        """What the provider tells of the user for whom it gave `code`: the ID token's claims, and those of userinfo.

        Raises `LoginRefused`, also where the token is not for us, not from this provider or not of this login.
        """
        tokens = self._redeem(code, verifier)
        claims = self._verify(tokens.get("id_token"), nonce)
        if "userinfo_endpoint" not in self._metadata:
            return claims
        bearer = {"Authorization": f"Bearer {tokens.get('access_token')}"}
        more = self._call("GET", self._endpoint("userinfo_endpoint"), headers=bearer)
        if more.get("sub") != claims["sub"]:
            raise LoginRefused("the login provider answered with another user's claims")
        return {**claims, **more}

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    @cached_property
    def _metadata(self) -> dict[str, Any]:
        metadata = self._call("GET", f"{self._issuer}/.well-known/openid-configuration")
        if str(metadata.get("issuer")).rstrip("/") != self._issuer:
            raise LoginRefused(f"{self._issuer} calls itself by another name: FLOWER_OIDC_ISSUER must be its issuer")
        return metadata

    def _endpoint(self, name: str) -> str:
        endpoint = self._metadata.get(name)
        if not isinstance(endpoint, str):
            raise LoginRefused(f"the login provider names no {name}")
        return endpoint

    def _redeem(self, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        id, secret = self._client
        # The default where a provider says nothing (OpenID Connect Discovery, section 3).
        methods = self._metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if isinstance(methods, list) and "client_secret_basic" in methods:
            login = (quote(id, safe=""), quote(secret, safe=""))
            return self._call("POST", self._endpoint("token_endpoint"), data=form, auth=login)
        client = {"client_id": id, "client_secret": secret}
        return self._call("POST", self._endpoint("token_endpoint"), data=form | client)

    def _verify(self, id_token: Any, nonce: str) -> dict[str, Any]:
        """The claims of an ID token. Keys are asked for each time: logins are rare, and keys change."""
        registry = jwt.JWTClaimsRegistry(
            leeway=CLOCK_SKEW_S,
            iss={"essential": True, "value": self._metadata["issuer"]},
            aud={"essential": True, "value": self._client[0]},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
        )
        keys = self._call("GET", self._endpoint("jwks_uri"))
        try:
            token = jwt.decode(str(id_token), KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
            registry.validate(token.claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise LoginRefused(f"the login provider's ID token is not valid ({type(error).__name__})") from None
        return token.claims

    def _call(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        """The JSON object that is answered. Errors name the address and nothing that was sent."""
        try:
            response = self._session.request(method, url, timeout=TIMEOUT_S, allow_redirects=False, **more)
            body = response.json()
        except (requests.RequestException, OSError, ValueError, RecursionError) as error:
            raise LoginRefused(f"the login provider gave no answer at {url} ({type(error).__name__})") from None
        if response.status_code != 200 or not isinstance(body, dict):
            raise LoginRefused(f"the login provider answered {response.status_code} at {url}")
        return body

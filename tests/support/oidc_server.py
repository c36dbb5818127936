"""A provider of OpenID Connect on a real socket: discovery, authorize, token, keys, userinfo; and its faults."""

import base64
import hashlib
import json
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

CLIENT = ("flower", "s3cret/+ value")
REDIRECT_URI = "http://127.0.0.1/login"


class OidcServer:
    """Whoever is sent to it is logged in at once, as `user`."""

    def __init__(self) -> None:
        self.user: dict[str, Any] = {}
        """The claims that userinfo gives."""
        self.token_claims: dict[str, Any] = {}
        """Put over the right claims of the next ID tokens; None takes one out."""
        self.metadata: dict[str, Any] = {}
        """Put over the right metadata."""
        self.denies = ""
        """The error that the browser comes back with."""
        self.key = self.other_key = ECKey.generate_key("P-256", {"kid": "1"})
        """`other_key` is the one that signs."""
        self.redirect_uri = REDIRECT_URI
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": self}))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}/realms/acme"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def discovery(self) -> dict[str, Any]:
        """Addresses that are none of Okta's."""
        paths = {"authorization": "auth", "token": "token", "userinfo": "me"}
        endpoints = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in paths.items()}
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **endpoints, **self.metadata}

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes next."""
        assert ("code", CLIENT[0], self.redirect_uri, "S256") == tuple(
            query[name] for name in ("response_type", "client_id", "redirect_uri", "code_challenge_method")
        )
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe()
        self._codes[code] = query
        answer = {"error": self.denies} if self.denies else {"code": code}
        return f"{self.redirect_uri}?{urlencode({**answer, 'state': query['state']})}"

    def redeem(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The tokens for a code, once, and for whom it was given alone; None is a refusal."""
        login = self._codes.pop(form["code"], None)
        right = base64.b64encode(f"{CLIENT[0]}:s3cret%2F%2B%20value".encode()).decode()
        in_form = (form.get("client_id"), form.get("client_secret")) == CLIENT
        if login is None or not (authorization == f"Basic {right}" or in_form):
            return None
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != login["code_challenge"]:
            return None
        now = round(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT[0], "sub": "7", "nonce": login["nonce"], "iat": now, "exp": now + 60
        } | self.token_claims  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode({"alg": "ES256", "kid": "1"}, claims, self.other_key)
        return {"access_token": "let-me-in", "token_type": "Bearer", "id_token": token}

    def answer(self, method: str, path: str, fields: dict[str, str], authorization: str) -> Any:
        """JSON, or the address of a redirect, or None for a refusal."""
        match method, path.removeprefix("/realms/acme"):
            case "GET", "/.well-known/openid-configuration":
                return self.discovery()
            case "GET", "/keys":
                return KeySet([self.key]).as_dict(private=False)
            case "GET", "/auth":
                return self.authorize(fields)
            case "POST", "/token":
                return self.redeem(fields, authorization)
            case "GET", "/me" if authorization == "Bearer let-me-in":
                return {"sub": "7", **self.user}
        return None


class _Handler(BaseHTTPRequestHandler):
    provider: ClassVar[OidcServer]

    def do_GET(self) -> None:
        self._answer("")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, body: str) -> None:
        url = urlsplit(self.path)
        fields = {name: values[0] for name, values in parse_qs(url.query or body).items()}
        answer = self.provider.answer(self.command, url.path, fields, self.headers.get("Authorization", ""))
        content = json.dumps(answer).encode()
        self.send_response(302 if isinstance(answer, str) else 200 if answer is not None else 400)
        if isinstance(answer, str):
            self.send_header("Location", answer)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: Any) -> None:
        """Says nothing."""

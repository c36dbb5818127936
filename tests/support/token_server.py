"""An OAuth2 token server over TLS (RFC 6749, 4.4), and a target that takes the tokens it gave."""

import base64
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from tests.support.hostile import Talk

CLIENT_ID, CLIENT_SECRET = "agent:1", "canary client+secret/4711"
"""With characters that have to be encoded."""


@dataclass
class TokenServer:
    """Gives tokens `canary-token-1`, `canary-token-2` … to who knows the secret; `requests` are the forms it got."""

    context: ssl.SSLContext
    secret: str = CLIENT_SECRET
    answer: dict[str, Any] = field(default_factory=lambda: {"token_type": "Bearer", "expires_in": 3600})
    """What stands beside the token."""
    failure: tuple[int, str] | None = None
    """Status and body in place of a token."""
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers of each answer."""
    requests: list[dict[str, str]] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)
    """Tokens that the target takes."""
    gate: threading.Event = field(default_factory=threading.Event)
    """Answers wait until it is set."""

    def __enter__(self) -> "TokenServer":
        self.gate.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode(), keep_blank_values=True)
                status, body = server._handle(
                    {name: value for name, (value,) in form.items()}, self.headers.get("Authorization", "")
                )
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.socket = self.context.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def place(self) -> str:
        """host:port."""
        return f"localhost:{self._http.server_port}"

    @property
    def options(self) -> dict[str, str]:
        """A section `oauth2` but for the file."""
        return {"token_url": f"https://{self.place}/token", "client_id": CLIENT_ID}

    def _handle(self, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        self.requests.append(form)
        assert self.gate.wait(60)
        if self.failure is not None:
            return self.failure[0], self.failure[1].encode()
        login = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        id, _, secret = (unquote_plus(part) for part in login.partition(":"))
        if not authorization:
            id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if (id, secret) != (CLIENT_ID, self.secret):
            return 401, b'{"error": "invalid_client", "error_description": "%s is wrong"}' % secret.encode()
        if form["grant_type"] != "client_credentials":
            return 400, b'{"error": "unsupported_grant_type"}'
        token = f"canary-token-{len(self.requests)}"
        self.valid.add(token)
        return 200, json.dumps({"access_token": token, **self.answer}).encode()

    def target(self, talk: Talk) -> None:
        """A script for `HostileTarget`: 401 without a valid token; answers repeat the header that they were sent."""
        while (request := talk.receive()) is not None:
            header = request.header("Authorization") or ""
            status = b"200 OK" if header.removeprefix("Bearer ") in self.valid else b"401 Unauthorized"
            body = json.dumps({"said": header}).encode()
            talk.send(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

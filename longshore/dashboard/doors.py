"""What stands before every page, Flower's own included: bounded connections, a guard, one login, one set of headers."""

from collections.abc import Callable
from functools import cache
from socket import socket
from typing import Any

from flower.utils.authentication import authenticate
from flower.views import BaseHandler
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import HTTPError, OutputTransform, RequestHandler

from config.settings import Settings
from longshore.dashboard import access

MAX_CONNECTIONS = 256
"""Open at once; one more ends the oldest, so that nobody keeps others out by doing nothing."""

LIMITS = {
    "max_body_size": 256 * 1024,  # 1,000 ids for the API, at 250 bytes each
    "max_header_size": 32 * 1024,
    "idle_connection_timeout": 30.0,  # also what the headers of a request may take in all
    "body_timeout": 30.0,
}
"""Bytes and seconds a client is given, before anybody knows who it is."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
"""Of every answer. Nothing of a payload could run, call out or be framed even if it were not escaped; Bootstrap sets
styles in elements."""


class Server(HTTPServer):
    """Tornado's server with room for `MAX_CONNECTIONS`."""

    def initialize(self, *arguments: Any, **options: Any) -> None:
        """As tornado's."""
        super().initialize(*arguments, **options)
        self._open: list[IOStream] = []

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serves a new connection."""
        self._open = [each for each in self._open if not each.closed()]
        if len(self._open) >= MAX_CONNECTIONS:
            self._open.pop(0).close()
        self._open.append(stream)
        super().handle_stream(stream, address)


def listen(options: Any) -> list[socket]:
    """The sockets of Flower's `options`. A local one is for everybody on the machine only where one has to log in."""
    if not options.unix_socket:
        return bind_sockets(options.port, options.address.strip("[]"))
    return [bind_unix_socket(options.unix_socket, 0o666 if options.basic_auth or options.auth else 0o600)]


class SafeHeaders(OutputTransform):
    """Gives every answer `HEADERS`, errors and files included, and shares none with other origins."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """As tornado calls it for the first bytes of an answer."""
        for name in [name for name in headers if name.lower().startswith("access-control-")]:
            del headers[name]
        headers.update(HEADERS)
        return status_code, headers, chunk


class LoggedIn(BaseHandler):
    """A handler of Flower's with a login that takes any character and knows its name."""

    def get_current_user(self) -> str | None:
        """Who asks; None where a provider's login is needed first. Raises 401 without the right basic login."""
        options = self.application.options
        name: str | None = access.NOBODY
        if options.basic_auth:
            name = access.login_name(options.basic_auth, self.request.headers.get("Authorization", ""))
            if name is None:
                raise HTTPError(401)
        if not options.auth:
            return name
        user = (self.get_secure_cookie("user") or b"").decode("utf-8", "replace")
        return user if user and authenticate(options.auth, user) else None


@cache
def logged_in(handler: Any) -> Any:
    """The class `handler`, with the login of `LoggedIn` if it is one of Flower's."""
    if not issubclass(handler, BaseHandler) or issubclass(handler, LoggedIn):
        return handler
    return type(handler.__name__, (LoggedIn, handler), {})


class Turned(RequestHandler):
    """Answers 403 to whatever must not reach a page."""

    def initialize(self, why: str) -> None:
        """`why` is told to whoever asks."""
        self._why = why

    def check_xsrf_cookie(self) -> None:
        """It is refused anyway."""

    def prepare(self) -> None:
        """The answer, whatever the method; for programs as the API's errors are."""
        self.set_status(403)
        if "/api/longshore/" in self.request.path:
            self.finish({"error": self._why})
        else:
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.finish(f"{self._why}\n")


def guard(options: Any, settings: Settings) -> Callable[[HTTPServerRequest], str]:
    """What says why a request must not reach a page: of a foreign host, or sent by a page of another site."""
    names = {options.address.strip("[]").lower(), *(name.strip().lower() for name in settings.flower_hosts.split(","))}
    names.discard("")
    # Without a login, a name is all that tells a page of ours from a foreign one.
    checks_host = bool(settings.flower_hosts) or not (options.basic_auth or options.auth)

    def refusal(request: HTTPServerRequest) -> str:
        host = access.asked_host(request.headers, request.host, settings.flower_forwarded_host)
        if checks_host and not access.is_known(host, names):
            return "Flower does not know the host name it is asked for: add it to FLOWER_HOSTS, or set a login."
        if access.is_foreign(str(request.method), request.headers, host):
            return "A page of another site sent this."
        return ""

    return refusal

"""HTTP hardening of every page, Flower's own included: bounded connections, host and origin checks, login, headers."""

from collections.abc import Callable
from functools import cache
from socket import socket
from typing import Any

from flower.utils.authentication import authenticate
from flower.views import BaseHandler
from flower.views.tasks import TasksDataTable
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import HTTPError, OutputTransform, RequestHandler

from config.settings import Settings
from longshore.dashboard import request_checks
from longshore.dashboard.access_roles import AccessRole, User
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

MAX_CONNECTIONS = 256
"""Open at once; one more closes the oldest, so that idle connections cannot lock others out."""

LOGIN_COOKIE = "user"
"""Holds the name of who is logged in by a provider and, one a line, the groups that FLOWER_OPERATORS or FLOWER_VIEWERS
names. Signed by Flower's cookie secret."""

OIDC_LOGIN_DAYS = 1
"""Then the provider is asked again, for a user who left or whose groups changed. Logins by Flower's own providers last
a month, as in Flower."""

HTTP_LIMITS = {
    "max_body_size": 256 * 1024,  # 1,000 ids for the API, at 250 bytes each
    "max_header_size": 32 * 1024,
    "idle_connection_timeout": 30.0,  # also the limit for all headers of a request
    "body_timeout": 30.0,
}
"""Limits of a request, before its login is checked."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
"""Headers of every response. Nothing of a payload could run, call out or be framed even if it were not escaped. Inline
styles are allowed, as Bootstrap sets some."""


class BoundedServer(HTTPServer):
    """Tornado's server with room for `MAX_CONNECTIONS`."""

    def initialize(self, *arguments: Any, **options: Any) -> None:
        """As tornado's."""
        super().initialize(*arguments, **options)
        self._open: list[IOStream] = []

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serves a new connection; closes the oldest one where there are too many."""
        self._open = [connection for connection in self._open if not connection.closed()]
        if len(self._open) >= MAX_CONNECTIONS:
            self._open.pop(0).close()
        self._open.append(stream)
        super().handle_stream(stream, address)


def bind_listeners(options: Any) -> list[socket]:
    """The sockets of Flower's `options`. Other users of the machine may use a Unix socket only where a login is set."""
    if not options.unix_socket:
        return bind_sockets(options.port, options.address.strip("[]"))
    return [bind_unix_socket(options.unix_socket, 0o666 if options.basic_auth or options.auth else 0o600)]


class SecurityHeaders(OutputTransform):
    """Adds `SECURITY_HEADERS` to every response, errors and files included, and removes CORS headers."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Called by tornado for the first bytes of a response."""
        for name in [name for name in headers if name.lower().startswith("access-control-")]:
            del headers[name]
        headers.update(SECURITY_HEADERS)
        return status_code, headers, chunk


class AuthenticatedHandler(BaseHandler):
    """A handler of Flower's whose login takes any character, and whose users look or act as their role allows."""

    def get_current_user(self) -> User | None:
        """Who is logged in; None where an OAuth login is needed first.

        Raises 401 without the right basic login, and 403 for a user without a role.
        """
        options = self.application.options
        name: str | None = request_checks.ANONYMOUS
        groups: list[str] = []
        if options.basic_auth:
            name = request_checks.authenticate_basic(options.basic_auth, self.request.headers.get("Authorization", ""))
            if name is None:
                raise HTTPError(401)
        if options.auth:
            days = OIDC_LOGIN_DAYS if self.application.context.settings.flower_oidc_issuer else 31
            cookie = self.get_secure_cookie(LOGIN_COOKIE, max_age_days=days) or b""
            name, *groups = cookie.decode("utf-8", "replace").split("\n")
            if not (name and authenticate(options.auth, name)):
                return None
        user: User | None = self.application.access_roles.find_user(name, groups)
        if user is None:
            raise HTTPError(403, "%s is neither in FLOWER_OPERATORS nor in FLOWER_VIEWERS", name)
        return user

    def prepare(self) -> None:
        """Before every request that may change something, of Flower's own API too: whether this user may."""
        super().prepare()
        reads = self.request.method in ("GET", "HEAD", "OPTIONS") or isinstance(self, TasksDataTable)
        if not reads and self.current_user:  # without a user, the handler asks for a login
            self._check_change(self.current_user)

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        r"""As tornado's. Browsers drop a tab and take `\` for `/`, so `/<tab>\evil.example` is no path of ours."""
        super().redirect(url.replace("\t", "%09").replace("\\", "%5C"), permanent, status)

    def find_refusal(self) -> str:
        """Why this user cannot change anything; empty for an operator."""
        if self.application.options.read_only:
            return "Flower is in read-only mode"
        if self.current_user and self.current_user.role is AccessRole.VIEWER:
            return f"{self.current_user} is a viewer: ask an operator, or to be added to FLOWER_OPERATORS"
        return ""

    def render(self, *arguments: Any, **names: Any) -> Any:
        """With `read_only` as it is for this user; Flower's own pages take it for a setting."""
        return super().render(*arguments, **{**names, "read_only": bool(self.find_refusal())})

    def _check_change(self, user: User) -> None:
        request = {
            "actor": user.name,
            "role": user.role.value,
            "method": self.request.method,
            "path": self.request.path,
        }
        if refusal := self.find_refusal():
            log.event(events.DASHBOARD_CHANGE_REFUSED, **request)
            raise HTTPError(403, "%s", refusal)
        log.event(events.DASHBOARD_CHANGE_REQUESTED, **request)


@cache
def with_login(handler: Any) -> Any:
    """The class `handler` with the login of `AuthenticatedHandler`, if it is one of Flower's."""
    if not issubclass(handler, BaseHandler) or issubclass(handler, AuthenticatedHandler):
        return handler
    return type(handler.__name__, (AuthenticatedHandler, handler), {})


class ForbiddenHandler(RequestHandler):
    """Answers 403 to a request that must not reach a page."""

    def initialize(self, refusal: str) -> None:
        """`refusal` is the text of the response."""
        self._refusal = refusal

    def check_xsrf_cookie(self) -> None:
        """Not needed: every request is refused."""

    def prepare(self) -> None:
        """Sends the response, whatever the method; JSON under the API's addresses."""
        self.set_status(403)
        if "/api/longshore/" in self.request.path:
            self.finish({"error": self._refusal})
        else:
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.finish(f"{self._refusal}\n")


def build_guard(options: Any, settings: Settings) -> Callable[[HTTPServerRequest], str]:
    """A function that says why to refuse a request (unknown host, page of another site); empty text to let it pass."""
    allowed_names = {
        options.address.strip("[]").lower(),
        *(name.strip().lower() for name in settings.flower_hosts.split(",")),
    }
    allowed_names.discard("")
    # Without a login, only the host name distinguishes our pages from those of a site that rebinds its DNS name to us.
    checks_host = bool(settings.flower_hosts) or not (options.basic_auth or options.auth)

    def find_refusal(request: HTTPServerRequest) -> str:
        host = request_checks.external_host(request.headers, request.host, settings.flower_forwarded_host)
        if checks_host and not request_checks.is_allowed_host(host, allowed_names):
            return "Flower does not know this host name: add it to FLOWER_HOSTS, or set a login."
        if request_checks.is_cross_site(str(request.method), request.headers, host):
            return "This request was sent by a page of another site."
        return ""

    return find_refusal

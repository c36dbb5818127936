"""What all our handlers share: login, XSRF protection, read-only mode, no blocking of the event loop, plain errors."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from tornado.ioloop import IOLoop
from tornado.web import HTTPError, MissingArgumentError, RequestHandler, StaticFileHandler

from longshore.dashboard import formatting, request_params
from longshore.dashboard.access_roles import User
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.http_hardening import AuthenticatedHandler
from longshore.errors import LongshoreError, StoreUnavailable
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations import refusals

log = EventLog(__name__)

Result = TypeVar("Result")


class Handler(AuthenticatedHandler):
    """A handler of Flower's, but stricter: XSRF is always checked."""

    def set_default_headers(self) -> None:
        """Browsers and proxies store nothing."""
        self.set_header("Cache-Control", "no-store")

    def check_xsrf_cookie(self) -> None:
        """Before every change: the login, and the token."""
        if not self.current_user:
            raise HTTPError(401)
        self.check_token()

    def check_token(self) -> None:
        """Tornado's own check, which Flower skips where there is no login, and with basic auth."""
        RequestHandler.check_xsrf_cookie(self)

    @property
    def context(self) -> DashboardContext:
        """The ledger and its readers."""
        context: DashboardContext = self.application.context
        return context

    @property
    def user(self) -> User:
        """Who is logged in."""
        user: User = self.current_user
        return user

    @property
    def actor(self) -> str:
        """Their name."""
        return self.user.name

    async def run_in_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The result of a function that blocks, called in a thread so that other requests are served meanwhile."""
        return await IOLoop.current().run_in_executor(self.application.readers, function, *arguments)

    def parse_filter(self) -> request_params.ParsedFilter:
        """The filter in the query string."""
        return request_params.ParsedFilter.parse(lambda name: self.get_query_argument(name, ""))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Logs without traceback what is no fault of the program: an absent Redis, an invalid request."""
        if isinstance(value, LongshoreError):
            log.event(events.DASHBOARD_REQUEST_FAILED, path=self.request.path, problem=str(value))
        else:
            super().log_exception(typ, value, tb)

    def describe_error(self, status: int, error: BaseException | None) -> tuple[int, str]:
        """HTTP status and text of the response to an error; nothing of an unexpected exception's text."""
        if isinstance(error, StoreUnavailable):
            return 503, "Redis does not answer. Nothing is lost."
        if isinstance(error, request_params.BadRequest | refusals.OperationRefused):
            message = str(error)
            return _status(error), f"{message[:1].upper()}{message[1:]}."
        if isinstance(error, LongshoreError):
            return 400, str(error)
        if isinstance(error, MissingArgumentError):
            return 400, f"{error.arg_name} is missing."
        if isinstance(error, HTTPError) and status < 500:
            return status, error.get_message() or HTTPStatus(status).phrase
        return status, "Something went wrong; the log of Flower says what."


def _status(error: request_params.BadRequest | refusals.OperationRefused) -> int:
    if isinstance(error, request_params.BadRequest):
        return error.status
    if isinstance(error, refusals.NotFound):
        return 404
    return 409 if isinstance(error, refusals.Conflict) else 400


class PageHandler(Handler):
    """A page for people. Links and forms work without scripts."""

    tab = ""
    """The tab that is shown as active."""

    def get_template_namespace(self) -> dict[str, Any]:
        """Flower's names, and the functions that format values for a page."""
        names: dict[str, Any] = super().get_template_namespace()
        refusal = self.find_refusal()
        if not (refusal or self.context.has_secret):
            refusal = "Flower was started without PORT_CLIENT_SECRET"
        return names | {
            "tab": self.tab,
            **formatting.FORMATTERS,
            "refusal": refusal,
            "may_requeue": not refusal,
            "refresh": self.application.options.auto_refresh,
        }

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A page that says what went wrong, and reloads itself while Redis is away."""
        if not hasattr(self, "_current_user"):
            self.current_user = None
        error = kwargs.get("exc_info", (None, None))[1]
        status, text = self.describe_error(status_code, error)
        if status == 401:
            super().write_error(401)
            return
        self.set_status(status)
        self.render("longshore_error.html", text=text, is_redis_away=status == 503)


class ApiHandler(Handler):
    """A handler of the JSON API: same login, errors as `{"error": ...}`."""

    def prepare(self) -> None:
        """Answers 401 rather than redirecting to a login page."""
        if not self.current_user:
            raise HTTPError(401)
        super().prepare()

    def check_token(self) -> None:
        """A basic login with a JSON body needs no token: pages of other sites can send that only if CORS allows it."""
        options = self.application.options
        uses_basic_auth = options.basic_auth and self.request.headers.get("Authorization")
        content_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not (uses_basic_auth and content_type == "application/json"):
            super().check_token()

    def read_json_body(self) -> dict[str, Any]:
        """The JSON object in the request body; an empty body is an empty object."""
        try:
            body = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise request_params.BadRequest("the body is not JSON") from None
        if not isinstance(body, dict):
            raise request_params.BadRequest("the body is not a JSON object")
        return body

    def write_json(self, value: Any, status: int = 200) -> None:
        """Ends the response with `value` as JSON; in ASCII, as a lone surrogate cannot be encoded otherwise."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json.dumps(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """`{"error": ...}`; 401 asks for a login."""
        status, text = self.describe_error(status_code, kwargs.get("exc_info", (None, None))[1])
        if status == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="flower"')
            text = "log in first"
        self.write_json({"error": text}, status)


class StaticHandler(StaticFileHandler):
    """Our stylesheet and script."""

    def set_extra_headers(self, path: str) -> None:
        """Browsers ask each time whether they have changed: they change with the program, and are small."""
        self.set_header("Cache-Control", "no-cache")

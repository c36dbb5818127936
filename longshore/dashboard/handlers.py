"""What all our handlers share: login, protection against foreign sites, no blocking, and plain errors."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from tornado.ioloop import IOLoop
from tornado.web import HTTPError, MissingArgumentError, RequestHandler, StaticFileHandler

from longshore.dashboard import formatting, request_params
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.doors import LoggedIn
from longshore.errors import LongshoreError, StoreUnavailable
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations import refusals

log = EventLog(__name__)

Found = TypeVar("Found")


class Handler(LoggedIn):
    """A handler of Flower's, stricter: XSRF always, `read_only` on every change."""

    def set_default_headers(self) -> None:
        """Nothing is kept by browsers and proxies."""
        self.set_header("Cache-Control", "no-store")

    def check_xsrf_cookie(self) -> None:
        """Before every change: the login, and the token."""
        if not self.current_user:
            raise HTTPError(401)
        self.check_token()

    def check_token(self) -> None:
        """Tornado's own check, which Flower skips where there is no login, and with basic auth."""
        RequestHandler.check_xsrf_cookie(self)

    def changes(self) -> None:
        """Called first by whatever changes something: refused in Flower's read-only mode."""
        if self.application.options.read_only:
            raise HTTPError(403, "read-only mode")

    @property
    def agent(self) -> DashboardContext:
        """The ledger."""
        found: DashboardContext = self.application.agent
        return found

    @property
    def actor(self) -> str:
        """Who is logged in."""
        return str(self.current_user)

    async def ask(self, question: Callable[..., Found], *arguments: Any) -> Found:
        """The answer of something that blocks: asked in a thread, so that everybody else is served meanwhile."""
        return await IOLoop.current().run_in_executor(self.application.readers, question, *arguments)

    def wanted(self) -> request_params.ParsedFilter:
        """The filter in the query."""
        return request_params.ParsedFilter.of(lambda name: self.get_query_argument(name, ""))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """An absent Redis and a senseless question are no faults of ours: no traceback."""
        if isinstance(value, LongshoreError):
            log.event(events.DASHBOARD_REQUEST_FAILED, path=self.request.path, problem=str(value))
        else:
            super().log_exception(typ, value, tb)

    def problem(self, status: int, error: BaseException | None) -> tuple[int, str]:
        """The status to answer with, and what to say; nothing of exceptions we do not know."""
        if isinstance(error, StoreUnavailable):
            return 503, "Redis does not answer. Nothing is lost; this page comes back by itself."
        if isinstance(error, request_params.BadRequest | refusals.Refused):
            why = str(error)
            return _status(error), f"{why[:1].upper()}{why[1:]}."
        if isinstance(error, LongshoreError):
            return 400, str(error)
        if isinstance(error, MissingArgumentError):
            return 400, f"{error.arg_name} is missing."
        if isinstance(error, HTTPError) and status < 500:
            return status, error.get_message() or HTTPStatus(status).phrase
        return status, "Something went wrong; the log of Flower says what."


def _status(error: request_params.BadRequest | refusals.Refused) -> int:
    if isinstance(error, request_params.BadRequest):
        return error.status
    if isinstance(error, refusals.NotFound):
        return 404
    return 409 if isinstance(error, refusals.Conflict) else 400


class Page(Handler):
    """A page for people. Links and forms work without scripts."""

    tab = ""
    """Which of our tabs it is under."""

    def get_template_namespace(self) -> dict[str, Any]:
        """Flower's names, and the functions that make foreign texts fit for a page."""
        names: dict[str, Any] = super().get_template_namespace()
        return names | {
            "tab": self.tab,
            "shown": formatting,
            "words": formatting.words,
            "read_only": self.application.options.read_only,
            "may_requeue": self.agent.has_secret and not self.application.options.read_only,
            "refresh": self.application.options.auto_refresh,
        }

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A page that says what is the matter, and comes again by itself while Redis is away."""
        if not hasattr(self, "_current_user"):
            self.current_user = None
        error = kwargs.get("exc_info", (None, None))[1]
        status, text = self.problem(status_code, error)
        if status == 401:
            super().write_error(401)
            return
        self.set_status(status)
        self.render("longshore_problem.html", text=text, away=status == 503)


class Api(Handler):
    """A handler of the JSON API: same login, errors as `{"error": ...}`."""

    def prepare(self) -> None:
        """A program is not sent to a login page."""
        if not self.current_user:
            raise HTTPError(401)

    def check_token(self) -> None:
        """Programs that log in with a header need no token: no foreign page can send JSON with it unasked."""
        options = self.application.options
        logs_in = options.basic_auth and self.request.headers.get("Authorization")
        content = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not (logs_in and content == "application/json"):
            super().check_token()

    def given(self) -> dict[str, Any]:
        """The JSON object in the body; an empty body is an empty one."""
        try:
            found = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise request_params.BadRequest("the body is not JSON") from None
        if not isinstance(found, dict):
            raise request_params.BadRequest("the body is no JSON object")
        return found

    def answer(self, value: Any, status: int = 200) -> None:
        """Ends with `value` as JSON, in ASCII so that half characters pass."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json.dumps(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """`{"error": ...}`; 401 asks for a login."""
        status, text = self.problem(status_code, kwargs.get("exc_info", (None, None))[1])
        if status == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="flower"')
            text = "log in first"
        self.answer({"error": text}, status)


class Static(StaticFileHandler):
    """Our style and script."""

    def set_extra_headers(self, path: str) -> None:
        """Looked for anew each time: they change with the program, and are small."""
        self.set_header("Cache-Control", "no-cache")

"""Flower's application with our handlers before its own, and our templates around them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flower.app import Flower, rewrite_handler
from tornado.httputil import HTTPServerRequest
from tornado.routing import URLSpec
from tornado.web import RedirectHandler, RequestHandler, url

from longshore.dashboard import api, dead_letter_pages, doors, handlers, other_pages
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.event_receiver import EventReceiver
from longshore.dashboard.templates import Loader

READERS = 8
"""Threads that ask Redis for our pages. Flower has its own for its own."""

_STATIC = {"path": str(Path(__file__).with_name("static"))}

HANDLERS: list[URLSpec] = [
    url(r"/dead-letters", dead_letter_pages.LettersPage, name="longshore-letters"),
    url(r"/dead-letters/requeue", dead_letter_pages.RequeueAllPage, name="longshore-requeue-all"),
    url(r"/dead-letters/export", dead_letter_pages.Export, name="longshore-export"),
    url(r"/invocation", other_pages.FindPage, name="longshore-find"),
    url(r"/invocation/(.+)", other_pages.InvocationPage, name="longshore-invocation"),
    url(r"/targets", other_pages.TargetsPage, name="longshore-targets"),
    url(r"/jobs", other_pages.JobsPage, name="longshore-jobs"),
    url(r"/longshore/static/([a-z.]+)", handlers.Static, _STATIC, name="longshore-static"),
    url(r"/api/longshore/letters", api.LettersApi),
    url(r"/api/longshore/letters/counts", api.CountsApi),
    url(r"/api/longshore/letters/export", dead_letter_pages.Export),
    url(r"/api/longshore/invocations/(.+)", api.InvocationApi),
    url(r"/api/longshore/requeue", api.RequeueApi),
    url(r"/api/longshore/targets", api.TargetsApi),
    url(r"/api/longshore/targets/(pause|resume|limit)", api.SteerTargetApi),
    url(r"/api/longshore/jobs", api.JobsApi),
    url(r"/api/longshore/jobs/([\w-]+)", api.JobApi),
    url(r"/api/longshore/jobs/([\w-]+)/(pause|resume)", api.SteerJobApi),
    url(r"/api/longshore/status", api.StatusApi),
    url(r"/api/longshore(?:/.*)?", api.UnknownApi),
]


class Dashboard(Flower):
    """Flower for one agent. `options` and `settings` are Flower's."""

    def __init__(self, agent: DashboardContext, *, capp: Any, options: Any, **settings: Any) -> None:
        self.agent = agent
        self.readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._refusal = doors.guard(options, agent.settings)
        super().__init__(
            capp=capp,
            options=options,
            events=EventReceiver.of(capp, options),
            template_loader=Loader(),
            transforms=[doors.SafeHeaders],
            **settings,
        )
        prefix = (self.options.url_prefix or "").strip("/")
        self.add_handlers(r".*", [rewrite_handler(each, prefix) for each in HANDLERS] if prefix else HANDLERS)
        if prefix:
            self.add_handlers(r".*", [url(f"/{prefix}", RedirectHandler, {"url": f"/{prefix}/", "permanent": False})])

    def start_http_server(self) -> None:
        """Begins to listen."""
        server = doors.Server(self, ssl_options=self.ssl_options, xheaders=self.options.xheaders, **doors.LIMITS)
        server.add_sockets(doors.listen(self.options))

    def find_handler(self, request: HTTPServerRequest, **more: Any) -> Any:
        """What answers `request`: a page of Flower's or ours, or a refusal. Asked before the body is read."""
        if why := self._refusal(request):
            return self.get_handler_delegate(request, doors.Turned, {"why": why})
        return super().find_handler(request, **more)

    def get_handler_delegate(
        self, request: HTTPServerRequest, target_class: type[RequestHandler], *arguments: Any, **more: Any
    ) -> Any:
        """Every handler goes through here."""
        handler: Any = target_class
        return super().get_handler_delegate(request, doors.logged_in(handler), *arguments, **more)

    def stop(self) -> None:
        """Also ends what we started."""
        super().stop()
        self.readers.shutdown(wait=False, cancel_futures=True)
        self.agent.counts.close()
        self.agent.requests.close()

"""Flower's application with our handlers before its own, and our templates around them."""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flower.app import Flower, rewrite_handler
from tornado.httputil import HTTPServerRequest
from tornado.routing import URLSpec
from tornado.web import RedirectHandler, RequestHandler, url

from longshore.dashboard import (
    api,
    dead_letter_pages,
    handlers,
    http_hardening,
    invocation_pages,
    job_pages,
    overview_pages,
    requeue_api,
    target_pages,
)
from longshore.dashboard.access_roles import AccessRoles
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.event_receiver import EventReceiver
from longshore.dashboard.templates import Loader

if TYPE_CHECKING:
    from longshore.dashboard.oidc_provider import OidcProvider

READER_THREADS = 8
"""Threads that read from Redis for our pages; Flower has its own."""

_STATIC = {"path": str(Path(__file__).with_name("static"))}

HANDLERS: list[URLSpec] = [
    url(r"/", overview_pages.FirstPage),
    url(r"/overview", overview_pages.OverviewPage, name="longshore-overview"),
    url(r"/dead-letters", dead_letter_pages.DeadLettersPage, name="longshore-dead-letters"),
    url(r"/dead-letters/requeue", dead_letter_pages.RequeueAllPage, name="longshore-requeue-all"),
    url(r"/dead-letters/export", dead_letter_pages.ExportHandler, name="longshore-export"),
    url(r"/invocation", invocation_pages.SearchPage, name="longshore-search"),
    url(r"/invocation/(.+)", invocation_pages.InvocationPage, name="longshore-invocation"),
    url(r"/targets", target_pages.TargetsPage, name="longshore-targets"),
    url(r"/jobs", job_pages.JobsPage, name="longshore-jobs"),
    url(r"/longshore/static/([a-z.]+)", handlers.StaticHandler, _STATIC, name="longshore-static"),
    url(r"/api/longshore/overview", api.OverviewApi),
    url(r"/api/longshore/letters", api.LettersApi),
    url(r"/api/longshore/letters/counts", api.CountsApi),
    url(r"/api/longshore/letters/export", dead_letter_pages.ExportHandler),
    url(r"/api/longshore/invocations/(.+)", api.InvocationApi),
    url(r"/api/longshore/requeue", requeue_api.RequeueApi),
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

    def __init__(self, context: DashboardContext, *, capp: Any, options: Any, **settings: Any) -> None:
        self.context = context
        self.readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")
        self.access_roles = AccessRoles.parse(context.settings.flower_operators, context.settings.flower_viewers)
        self._find_refusal = http_hardening.build_guard(options, context.settings)
        super().__init__(
            capp=capp,
            options=options,
            events=EventReceiver.of(capp, options),
            template_loader=Loader(),
            transforms=[http_hardening.SecurityHeaders],
            **settings,
        )
        prefix = (self.options.url_prefix or "").strip("/")
        self.add_handlers(r".*", [rewrite_handler(route, prefix) for route in HANDLERS] if prefix else HANDLERS)
        if prefix:
            self.add_handlers(r".*", [url(f"/{prefix}", RedirectHandler, {"url": f"/{prefix}/", "permanent": False})])

    @cached_property
    def oidc_provider(self) -> "OidcProvider":
        """Whom FLOWER_OIDC_ISSUER names, as the client of Flower's options."""
        from longshore.dashboard.oidc_provider import OidcProvider  # its library costs memory where nobody logs in so

        client = self.settings["oauth"]
        issuer = self.context.settings.flower_oidc_issuer
        return OidcProvider(issuer, client["key"], client["secret"], client["redirect_uri"])

    def start_http_server(self) -> None:
        """Opens the sockets of Flower's options."""
        server = http_hardening.BoundedServer(
            self, ssl_options=self.ssl_options, xheaders=self.options.xheaders, **http_hardening.HTTP_LIMITS
        )
        server.add_sockets(http_hardening.bind_listeners(self.options))

    def find_handler(self, request: HTTPServerRequest, **options: Any) -> Any:
        """The handler of `request`: a page of Flower's or ours, or a refusal. Called before the body is read."""
        if refusal := self._find_refusal(request):
            return self.get_handler_delegate(request, http_hardening.ForbiddenHandler, {"refusal": refusal})
        return super().find_handler(request, **options)

    def get_handler_delegate(
        self, request: HTTPServerRequest, target_class: type[RequestHandler], *arguments: Any, **options: Any
    ) -> Any:
        """Adds our login to every handler."""
        handler: Any = target_class
        return super().get_handler_delegate(request, http_hardening.with_login(handler), *arguments, **options)

    def stop(self) -> None:
        """Also ends our threads and processes."""
        super().stop()
        self.readers.shutdown(wait=False, cancel_futures=True)
        self.context.close()

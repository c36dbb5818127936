"""Flower's application with our handlers before its own, and our templates around them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flower.app import Flower, rewrite_handler
from tornado.routing import URLSpec
from tornado.web import url

from longshore.dashboard import api, letter_pages, other_pages, page
from longshore.dashboard.agent import Agent
from longshore.dashboard.listening import Listening
from longshore.dashboard.templates import Loader

READERS = 8
"""Threads that ask Redis for our pages. Flower has its own for its own."""

_STATIC = {"path": str(Path(__file__).with_name("static"))}

HANDLERS: list[URLSpec] = [
    url(r"/dead-letters", letter_pages.LettersPage, name="longshore-letters"),
    url(r"/dead-letters/requeue", letter_pages.RequeueAllPage, name="longshore-requeue-all"),
    url(r"/dead-letters/export", letter_pages.Export, name="longshore-export"),
    url(r"/invocation", other_pages.FindPage, name="longshore-find"),
    url(r"/invocation/(.+)", other_pages.InvocationPage, name="longshore-invocation"),
    url(r"/targets", other_pages.TargetsPage, name="longshore-targets"),
    url(r"/jobs", other_pages.JobsPage, name="longshore-jobs"),
    url(r"/longshore/static/([a-z.]+)", page.Static, _STATIC, name="longshore-static"),
    url(r"/api/longshore/letters", api.LettersApi),
    url(r"/api/longshore/letters/counts", api.CountsApi),
    url(r"/api/longshore/letters/export", letter_pages.Export),
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

    def __init__(self, agent: Agent, *, capp: Any, options: Any, **settings: Any) -> None:
        self.agent = agent
        self.readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        events = Listening.of(capp, options)
        super().__init__(capp=capp, options=options, events=events, template_loader=Loader(), **settings)
        prefix = self.options.url_prefix
        handlers = [rewrite_handler(each, prefix) for each in HANDLERS] if prefix else HANDLERS
        self.add_handlers(r".*", handlers)

    def stop(self) -> None:
        """Also ends what we started."""
        super().stop()
        self.readers.shutdown(wait=False, cancel_futures=True)
        self.agent.counts.close()
        self.agent.requests.close()

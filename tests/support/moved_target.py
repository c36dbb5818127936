"""A target that has moved: it answers every request with a redirect, and counts who came."""

from __future__ import annotations

import threading
from collections import Counter

from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request
from longshore.sandbox.received import run_id_of


class MovedTarget:
    """Answers 307 with another address, so that the same request is sent there."""

    def __init__(self, to: str) -> None:
        self._to = to
        self._lock = threading.Lock()
        self._arrivals: Counter[str] = Counter()
        self._server = HttpServer("moved-target")
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.listen('127.0.0.1', 0, self._answer)}/hooks/moved"

    def arrivals(self) -> dict[str, int]:
        """How often each invocation came here first."""
        with self._lock:
            return dict(self._arrivals)

    def stop(self) -> None:
        """Close the port."""
        self._server.stop()

    def _answer(self, request: Request) -> HttpAnswer:
        with self._lock:
            self._arrivals[run_id_of(request.headers, request.body)] += 1
        return HttpAnswer(307, headers=(("Location", self._to),))

"""A target that redirects each request to another path of its own, and counts who came where."""

from __future__ import annotations

import threading
from collections import Counter

from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request
from longshore.sandbox.received import run_id_of

_OLD, _NEW = "/hooks/moved", "/hooks/here"


class MovedTarget:
    """Answers 307, so that the same request is sent to the new path, and takes it there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = {_OLD: Counter(), _NEW: Counter()}
        self._server = HttpServer("moved-target")
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.listen('127.0.0.1', 0, self._answer)}{_OLD}"

    def redirects(self) -> dict[str, int]:
        """How often each invocation was sent on."""
        return self._copy(_OLD)

    def arrivals(self) -> dict[str, int]:
        """How often each invocation was taken."""
        return self._copy(_NEW)

    def stop(self) -> None:
        """Close the port."""
        self._server.stop()

    def _copy(self, path: str) -> dict[str, int]:
        with self._lock:
            return dict(self._counts[path])

    def _answer(self, request: Request) -> HttpAnswer:
        with self._lock:
            self._counts[request.path][run_id_of(request.headers, request.body)] += 1
        if request.path == _OLD:
            return HttpAnswer(307, headers=(("Location", _NEW),))
        return HttpAnswer(200, b"{}")

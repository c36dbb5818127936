"""Who receives notifications: an HTTP server that keeps what it is sent."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request


@dataclass
class Receiver:
    """One address. `requests` came in this order; `answer` is what the next ones get, None leaves them without."""

    port: int = 0
    answer: HttpAnswer | None = field(default_factory=HttpAnswer)
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        """For NOTIFY_URLS. Its path is a token."""
        return f"json://127.0.0.1:{self.port}/hooks/a-token-nobody-may-see"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON of each request."""
        return [json.loads(request.body) for request in self.requests]

    @property
    def texts(self) -> list[str]:
        """Title and text of each message."""
        return [f"{body['title']}\n{body['message']}" for body in self.bodies]

    def handle(self, request: Request) -> HttpAnswer | None:
        """For the server."""
        self.requests.append(request)
        return self.answer


@contextmanager
def receivers(count: int) -> Iterator[list[Receiver]]:
    """So many receivers, which end with the context."""
    server = HttpServer("receivers")
    server.start()
    try:
        result = [Receiver() for _ in range(count)]
        for receiver in result:
            receiver.port = server.listen("127.0.0.1", 0, receiver.handle)
        yield result
    finally:
        server.stop()

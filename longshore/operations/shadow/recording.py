"""What a recorded request is: a call to Port or a webhook, and of which invocation.

The original agent handles one message at a time. It writes to the run's log before it calls the target, so a webhook
belongs to the run whose log was written to last by the same agent. Requests without such a log are change log events.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from longshore.delivery.outcome import Response
from longshore.invocation import ids, json_text
from longshore.invocation.stream import get_object
from longshore.operations.shadow.lines import Line, Lines, WebhookRequest

_RUN_PATH = re.compile(r"/v1/(?:actions/runs|workflows/nodes/runs)/([^/]+)(/logs|/response)?")
_NO_RUNS = frozenset({"ack", "claim-pending"})
MAX_RUNS = 10_000
"""Runs whose answer is remembered, so that it is known what their reports tell of."""
MAX_AGENTS = 1_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request of the original agent, and what came back: a response, or the words why there is none."""

    client: str
    """Which agent it is from: its address."""
    request: WebhookRequest
    answer: Response | str
    location: str = ""
    """Where the response redirects to, as it says it."""


@dataclass(slots=True)
class _Agent:
    """What one agent is at."""

    run: str | None = None
    """The run whose log it has written to, and whose webhook has not come yet."""
    called_run: str | None = None
    """The run whose webhook came last: what it logs now tells of that."""
    redirect: tuple[str, str | None] | None = None
    """The URL that its last webhook was redirected to, and the invocation of that."""


class Recording:
    """Makes lines of exchanges, in the order in which they ended. For one thread."""

    def __init__(self, lines: Lines, port_url: str) -> None:
        """`port_url` is the base of Port's API."""
        self._lines = lines
        base = urlsplit(port_url)
        self._port, self._port_path = _place(port_url), base.path.rstrip("/")
        self._agents: OrderedDict[str, _Agent] = OrderedDict()
        self._responses: OrderedDict[str, Response] = OrderedDict()

    def make_line(self, exchange: Exchange) -> Line:
        """The line of an exchange."""
        agent = self._agents.pop(exchange.client, None) or _Agent()
        self._agents[exchange.client] = agent
        if len(self._agents) > MAX_AGENTS:
            self._agents.popitem(last=False)
        if _place(exchange.request.url) == self._port:
            return self._make_port_line(exchange, agent)
        return self._make_webhook_line(exchange, agent)

    def _make_port_line(self, exchange: Exchange, agent: _Agent) -> Line:
        request = exchange.request
        path = urlsplit(request.url).path.removeprefix(self._port_path)
        match = _RUN_PATH.fullmatch(path)
        run = ids.run_id(unquote(match[1])) if match is not None and match[1] not in _NO_RUNS else None
        if run is not None and match is not None and match[2] == "/logs" and run != agent.called_run:
            agent.run = run
        body = _parse(request.body)
        status = exchange.answer.status if isinstance(exchange.answer, Response) else None
        response = self._responses.get(run) if run is not None else None
        content = body if isinstance(body, dict) else {"": body}
        return self._lines.port(run, request.method, path, content, response, port_status=status)

    def _make_webhook_line(self, exchange: Exchange, agent: _Agent) -> Line:
        request, answer = exchange.request, exchange.answer
        facts: dict[str, Any] = {}
        if agent.redirect is not None and agent.redirect[0] == request.url:
            invocation = agent.redirect[1]
            facts["redirected"] = True
        else:
            invocation = _run_in(request.body) or agent.run
        agent.run, agent.called_run, agent.redirect = None, invocation, None
        if isinstance(answer, str):
            return self._lines.webhook(invocation, request, answer={"failure": answer}, **facts)
        if 300 <= answer.status < 400 and exchange.location:
            agent.redirect = urljoin(request.url, exchange.location).partition("#")[0], invocation
        if invocation is not None:
            self._responses[invocation] = answer
            if len(self._responses) > MAX_RUNS:
                self._responses.popitem(last=False)
        return self._lines.webhook(invocation, request, answer=self._lines.seal(answer), **facts)


def _place(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.scheme, parts.hostname or "", port or {"http": 80, "https": 443}.get(parts.scheme)


def _parse(body: bytes | None) -> Any:
    try:
        return json_text.loads(body) if body else {}
    except json_text.Malformed:
        return (body or b"").decode("utf-8", "replace")


def _run_in(body: bytes | None) -> str | None:
    """The run that a body names, as the built-in mapping sends it."""
    content = _parse(body)
    contexts = (get_object(content, "context"), get_object(content, "port_payload", "context"))
    run = next((context["runId"] for context in contexts if context.get("runId")), None)
    return ids.run_id(run) if isinstance(run, str) else None

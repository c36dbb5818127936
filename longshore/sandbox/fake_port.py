"""A Port API that lives in memory: takes the agent's calls as strictly as Port, and shows the runs on a page.

For the sandbox and the tests. `calls` and `violations` say what was asked and what the real Port would have refused;
`fail_next` and `down` break it on purpose.
"""

import json
import socket
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from longshore.sandbox import fake_port_rules as rules
from longshore.sandbox.fake_port_claims import FakeClaims
from longshore.sandbox.fake_port_faults import Condition, FakeFaults
from longshore.sandbox.fake_port_page import PAGE, PAGE_HEADERS
from longshore.sandbox.fake_port_runs import FakeRun
from longshore.sandbox.fake_port_tokens import FakeTokens
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request

MAX_BODY_BYTES = 1_048_576
"""Port answers larger bodies with 413."""

MAX_RUNS = 50_000
MAX_CALLS = 100_000
MAX_PAGE_RUNS = 200
"""Runs on the page, the last changed first."""


@dataclass(frozen=True, slots=True)
class FakeCall:
    """One request the fake Port had: `name` as in the rules ("unknown" for none of them); `at` in epoch seconds."""

    at: float
    name: str
    method: str
    path: str
    body: Any
    status: int


class FakePort:
    """A Port API at `url`. Any client id and secret are accepted unless both are given; tokens live `token_life_s`.

    `brokers` and the SASL values are what `GET /v1/kafka-credentials` gives out.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        client_id: str = "",
        client_secret: str = "",
        token_life_s: float = 10_800.0,
        brokers: Sequence[str] = ("localhost:9092",),
        kafka_username: str = "fake-user",
        kafka_password: str = "",
    ) -> None:
        self._host, self._port = host, port
        self._kafka = {"brokers": list(brokers), "username": kafka_username, "password": kafka_password}
        self._changed = threading.Condition()
        self._server = HttpServer("fake-port")
        self._holder: socket.socket | None = None
        self._runs: OrderedDict[str, FakeRun] = OrderedDict()
        self._calls: deque[FakeCall] = deque(maxlen=MAX_CALLS)
        self._counts: Counter[str] = Counter()
        self._violations: deque[str] = deque(maxlen=1_000)
        self._faults = FakeFaults()
        self._tokens = FakeTokens((client_id, client_secret), token_life_s)
        self.claims = FakeClaims()
        """The runs that are polled: `offer` adds some."""
        self.streamer = ""
        """The name the organization was set to."""

    def start(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        self._server.start()
        self._port = self._server.listen(self._host, self._port, self._serve)
        return self

    def stop(self) -> None:
        """Close the port and all connections."""
        self._server.stop()
        self._release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base address of the API; the page is at its root."""
        return f"http://{self._host}:{self._port}"

    @property
    def runs(self) -> dict[str, FakeRun]:
        """All runs by id, in the order in which they first appeared."""
        with self._changed:
            return dict(self._runs)

    @property
    def calls(self) -> list[FakeCall]:
        """The last calls, oldest first, token calls and refused ones among them."""
        with self._changed:
            return list(self._calls)

    @property
    def counts(self) -> dict[str, int]:
        """How many calls of each name came, whatever was answered."""
        with self._changed:
            return dict(self._counts)

    @property
    def tokens(self) -> list[str]:
        """The access tokens that agents have, oldest first."""
        with self._changed:
            return self._tokens.living()

    @property
    def violations(self) -> list[str]:
        """What the real Port would have refused: a wrong path, a wrong body, a change to a finished run."""
        with self._changed:
            return list(self._violations)

    def add_run(self, run_id: str, title: str = "") -> None:
        """Show a run before its first report, under a title."""
        with self._changed:
            self._run(run_id).title = title
            self._changed.notify_all()

    def offer(self, *objects: dict[str, Any]) -> None:
        """Let these runs be claimed, action runs (with an `id`) and node runs (with an `identifier`)."""
        with self._changed:
            self.claims.offer(*objects)
            self._changed.notify_all()

    def fail_next(self, count: int, status: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Answer the next `count` calls with `status`; they change nothing. Token calls count too."""
        with self._changed:
            self._faults.fail_next(count, status, headers)

    def fail(
        self,
        name: str,
        status: int,
        message: str = "",
        when: Condition = lambda run_id, body: True,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer every call of this name with `status`, or not at all for 0, where `when` holds for run id and body.

        `message` is the text of the error. It holds until `mend`.
        """
        with self._changed:
            self._faults.fail(name, status, message, when, headers)

    def mend(self) -> None:
        """End what `fail` began."""
        with self._changed:
            self._faults.clear()

    def revoke_tokens(self) -> None:
        """Make every token given out so far answer 401."""
        with self._changed:
            self._tokens.revoke()

    def give_out_kafka(self, brokers: Sequence[str], username: str, password: str) -> None:
        """Answer `GET /v1/kafka-credentials` with these from now on."""
        with self._changed:
            self._kafka = {"brokers": list(brokers), "username": username, "password": password}

    def down(self) -> None:
        """Refuse connections until `up`; the port stays ours."""
        self._server.close(self._port)
        self._holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((self._host, self._port))

    def up(self) -> None:
        """Take connections again."""
        self._release()
        self._server.listen(self._host, self._port, self._serve)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `condition` holds, asking after every call. False when it does not in time."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def _release(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def _serve(self, request: Request) -> HttpAnswer | None:
        if request.method == "GET" and request.path in ("/", "/api/runs"):
            return self._page() if request.path == "/" else self._listing()
        with self._changed:
            match = rules.find(request.method, request.path)
            name = match[0].name if match else "unknown"
            body, answer = self._answer(request, match)
            self._counts[name] += 1
            self._calls.append(FakeCall(time.time(), name, request.method, request.path, body, answer.status))
            self._changed.notify_all()
            return answer if answer.status else None

    def _answer(self, request: Request, match: tuple[rules.FakeEndpoint, str] | None) -> tuple[Any, HttpAnswer]:
        """The parsed body and the answer, in the order in which Port looks at a request."""
        body = _parse_body(request.body)
        if fault := self._faults.take_next():
            return body, fault
        if match is None:
            return body, self._refuse(request, 404, "no such path")
        endpoint, run_id = match
        if endpoint.name != "token" and not self._tokens.is_valid(request.headers.get("authorization", "")):
            return body, _json(401, {"ok": False, "error": "unauthorized"})
        if fault := self._faults.find(endpoint.name, run_id, body):
            return body, fault
        if len(request.body) > MAX_BODY_BYTES:
            return body, self._refuse(request, 413, "the body is over 1 MiB")
        problem = endpoint.check(body)
        name, value = rules.RESERVED_USAGE
        if endpoint.name in rules.POLLING and request.headers.get(name) != value:
            problem = f"lacks the header {name}"
        if problem:
            return body, self._refuse(request, 422, problem)
        return body, self._apply(request, endpoint.name, run_id, body)

    def _apply(self, request: Request, name: str, run_id: str, body: Any) -> HttpAnswer:
        """Do what a well-formed call asks for."""
        if name == "token":
            return self._issue_token(body)
        if name == "kafka_credentials":
            return _json(200, {"ok": True, "credentials": self._kafka})
        if name == "organization":
            self.streamer = body["settings"]["portAgentStreamerName"]
            return _json(200, {"ok": True})
        if name in rules.POLLING:
            status, answer = self.claims.apply(name, body)
            return _json(status, answer)
        problem = self._run(run_id).apply(name, body, time.time())
        if problem == "repeated":
            return _json(422, {"ok": False, "error": "run_is_finished"})
        if problem:
            return self._refuse(request, 422, problem)
        return _json(201 if name.endswith("_log") else 200, {"ok": True})

    def _issue_token(self, body: Any) -> HttpAnswer:
        token = self._tokens.issue(body["clientId"], body["clientSecret"])
        if token is None:
            return _json(401, {"ok": False, "error": "invalid_credentials"})
        life_s = self._tokens.life_s
        return _json(200, {"ok": True, "accessToken": token, "expiresIn": life_s, "tokenType": "Bearer"})

    def _refuse(self, request: Request, status: int, problem: str) -> HttpAnswer:
        self._violations.append(f"{request.method} {request.path}: {status} {problem}")
        return _json(status, {"ok": False, "error": "invalid_request", "message": problem})

    def _run(self, run_id: str) -> FakeRun:
        run = self._runs.get(run_id)
        if run is None:
            run = self._runs[run_id] = FakeRun(run_id, changed_at=time.time())
            while len(self._runs) > MAX_RUNS:
                self._runs.popitem(last=False)
        return run

    def _page(self) -> HttpAnswer:
        return HttpAnswer(200, PAGE.encode(), "text/html; charset=utf-8", PAGE_HEADERS)

    def _listing(self) -> HttpAnswer:
        with self._changed:
            latest = sorted(self._runs.values(), key=lambda run: run.changed_at, reverse=True)[:MAX_PAGE_RUNS]
            states = Counter(run.state for run in self._runs.values())
            summary = {
                "total": len(self._runs),
                "states": dict(states),
                "calls": sum(self._counts.values()),
                "runs": [run.as_json() for run in latest],
            }
        return _json(200, summary)


def _parse_body(body: bytes) -> Any:
    """The JSON value of a body; a text that cannot be right for any call when it is not JSON."""
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return "not JSON"


def _json(status: int, body: dict[str, Any]) -> HttpAnswer:
    return HttpAnswer(status, json.dumps(body).encode())

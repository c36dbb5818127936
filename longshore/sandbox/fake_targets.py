"""Sample targets, good and bad: one origin each, so that Longshore treats each as a target of its own."""

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request, reserve_closed_port
from longshore.sandbox.received import ReceivedRequest, RequestLog, run_id_of


@dataclass(frozen=True, slots=True)
class Behavior:
    """How badly the bad ones behave."""

    slow_s: float = 2.0
    """Seconds before `slow` answers."""

    failures: int = 2
    """How often `flaky` answers 503 to each run before it takes it."""

    refusals: int = 1
    """How often `throttling` answers 429 to each run before it takes it."""

    retry_after_s: int = 1
    """The `Retry-After` of `throttling`."""

    drip_s: float = 0.2
    """Seconds between two bytes of `drip`."""

    outage: int = 5
    """How many requests `flapping` answers 503, whosever they are, before it is well."""


class FakeTargets:
    """The sample targets on `host`. `url(name)` is where one listens; the names are in `NAMES`.

    good: 200, and like GitLab's pipeline trigger on GitLab's paths. slow: good, late. flaky: 503 a few times per run,
    then good. throttling: 429 with Retry-After, then good. hanging: reads the request, never answers. mute: the same
    for the first request of each run, then good. dead: nobody listens. not_found, error, gateway: always 404, 500, 502.
    broken: 422 until it is mended. flapping: 503 for its first requests, then good. limited and paused: good, and held
    back by others. drip: 200, one byte at a time.
    """

    NAMES = (
        "good", "slow", "flaky", "throttling", "hanging", "mute", "dead", "not_found", "error", "gateway", "broken",
        "flapping", "limited", "paused", "drip",
    )  # fmt: skip

    def __init__(self, host: str = "127.0.0.1", behavior: Behavior | None = None) -> None:
        self._host = host
        self._behavior = behavior or Behavior()
        self._log = RequestLog()
        self._pipelines = itertools.count(1)
        self._is_repaired = False
        self._server = HttpServer("sample-targets")
        self._ports: dict[str, int] = {}
        self._dead = reserve_closed_port(host)

    def start(self) -> Self:
        """Listen, each target on a free port."""
        self._server.start()
        for name in self.NAMES:
            if name != "dead":
                self._ports[name] = self._server.listen(self._host, 0, self._serve(name))
        self._ports["dead"] = int(self._dead.getsockname()[1])
        return self

    def stop(self) -> None:
        """Close all ports and cut every request that still waits."""
        self._server.stop()
        self._dead.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, name: str) -> str:
        """The address of a target, with a path that names it. Raises KeyError for an unknown one or before `start`."""
        return f"{self.origin(name)}{path_of(name)}"

    def origin(self, name: str) -> str:
        """Scheme, host and port of a target; of `good` it can stand for GitLab's address."""
        return f"http://{self._host}:{self._ports[name]}"

    def mend(self) -> None:
        """From now on `broken` is good."""
        self._is_repaired = True

    def received(self, run_id: str | None = None) -> list[ReceivedRequest]:
        """The requests of one run (its idempotency key, else the message's run id), or all of them; oldest first."""
        return self._log.find(run_id)

    def attempts(self) -> dict[str, int]:
        """How often each run arrived."""
        return self._log.attempts()

    def totals(self) -> dict[str, int]:
        """How many requests each target had."""
        return self._log.totals()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `condition` holds, asking after every request. False when it does not in time."""
        return self._log.wait(condition, timeout_s)

    def _serve(self, name: str) -> Callable[[Request], HttpAnswer | None]:
        def serve(request: Request) -> HttpAnswer | None:
            run_id = run_id_of(request.headers, request.body)
            attempt = self._log.add(
                name, run_id, time.time(), request.method, request.path, request.headers, request.body
            )
            return self._answer(name, request, attempt)

        return serve

    def _answer(self, name: str, request: Request, attempt: int) -> HttpAnswer | None:
        behavior = self._behavior
        match name:
            case "slow":
                return _json(200, {"ok": True, "after_s": behavior.slow_s}, delay_s=behavior.slow_s)
            case "flaky" if attempt <= behavior.failures:
                return _json(503, {"error": "not now"})
            case "throttling" if attempt <= behavior.refusals:
                return _json(429, {"error": "slow down"}, headers=(("Retry-After", str(behavior.retry_after_s)),))
            case "flapping" if self.totals()[name] <= behavior.outage:
                return _json(503, {"error": "starting up"})
            case "broken" if not self._is_repaired:
                return _json(422, {"error": "no such environment: staging"})
            case "hanging":
                return None
            case "mute" if attempt == 1:
                return None
            case "not_found":
                return _json(404, {"error": "no such hook"})
            case "error":
                return _json(500, {"error": "boom"})
            case "gateway":
                return HttpAnswer(502, b"<h1>Bad Gateway</h1>", "text/html")
            case "drip":
                return _json(200, {"ok": True, "pad": "." * 1000}, drip_s=behavior.drip_s)
        if request.path.startswith("/api/v4/projects/"):
            number = next(self._pipelines)
            return _json(201, {"id": number, "web_url": f"{self.origin('good')}/pipelines/{number}"})
        return _json(200, {"ok": True, "target": name, "attempt": attempt})


def path_of(name: str) -> str:
    """The path at which the target `name` is called."""
    return f"/hooks/{name}"


def _json(
    status: int,
    body: dict[str, object],
    headers: tuple[tuple[str, str], ...] = (),
    delay_s: float = 0.0,
    drip_s: float = 0.0,
) -> HttpAnswer:
    return HttpAnswer(status, json.dumps(body).encode(), headers=headers, delay_s=delay_s, drip_s=drip_s)

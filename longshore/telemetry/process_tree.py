"""The pages of a process tree: those of its programs as one.

Each program serves its own pages at a local socket. Its metrics go onto the tree's page with its name as the label
`program`, so the counters of a program that was restarted begin at 0, as Prometheus expects; and one that has
ended leaves no numbers behind. Health is fetched every second, each program in a thread of its own, so a probe of the
tree is answered at once even while a program hangs.
"""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from longshore.periodic import Periodic
from longshore.telemetry.client import Endpoint, Unreachable
from longshore.telemetry.health import FILES, CheckResult, Health, HealthVerdict
from longshore.telemetry.metrics import PROGRAM_UP

CHECK_INTERVAL_S = 1.0
CHECK_TIMEOUT_S = 5.0
"""Timeout of one request for health; and after how long without an answer a program is not ready."""
SCRAPE_TIMEOUT_S = 3.0
"""How long the page of metrics waits for those of the programs."""
START_GRACE_S = 60.0
"""How long a program may take until its first answer."""
NOT_ALIVE_S = 5.0
"""How long a program has to be not alive before it is replaced: after a halt of the whole machine, all seem so."""


class ProcessTree(Collector):
    """The programs of a tree, by name, and the tree's own process as `own`. An `Observer` for their supervisor."""

    def __init__(self, programs: Mapping[str, Endpoint], own: Collector, own_name: str, liveness_s: float) -> None:
        """A program that does not answer for `liveness_s` is not alive."""
        self._programs = programs
        self._own = own
        self._own_name = own_name
        self._watches = {name: _Watch(name, endpoint, liveness_s) for name, endpoint in programs.items()}
        self._pool = ThreadPoolExecutor(max(1, len(programs)), thread_name_prefix="scrape")

    def start(self, health: Health) -> None:
        """Begins to check, and adds the programs' checks to `health`."""
        for name, watch in self._watches.items():
            health.alive_if(name, watch.alive)
            health.ready_if(f"{name} is ready", watch.ready)
            watch.start()

    def stop(self) -> None:
        """Ends the checks."""
        for watch in self._watches.values():
            watch.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def on_start(self, name: str) -> None:
        """A process of this program was started: earlier answers came from another one."""
        if name in self._watches:
            self._watches[name].reset()

    def find_problem(self, name: str) -> str:
        """Why the process of this program has to be replaced; empty: it need not be."""
        return self._watches[name].find_problem() if name in self._watches else ""

    def collect(self) -> Iterable[Metric]:
        """The metrics of all, each family once."""
        families: dict[str, Metric] = {}
        _add_samples(families, self._own_name, self._own.collect())
        for name, text in zip(self._programs, self._pool.map(_fetch_metrics, self._programs.values()), strict=True):
            _add_samples(families, name, text_string_to_metric_families(text))
        return families.values()


class _Watch:
    """The last answers of one program about its health."""

    def __init__(self, name: str, endpoint: Endpoint, liveness_s: float) -> None:
        self._name = name
        self._endpoint = endpoint
        self._liveness_s = liveness_s
        self.reset()
        self._loop = Periodic(f"watch-{name}", CHECK_INTERVAL_S, self._step)
        self.start = self._loop.start

    def reset(self) -> None:
        self._answered_at = time.monotonic() + max(0.0, START_GRACE_S - self._liveness_s)
        self._not_alive_since: float | None = None
        self._live: HealthVerdict | None = None
        self._ready: HealthVerdict | None = None

    def stop(self) -> None:
        self._loop.stop(0)

    def find_problem(self) -> str:
        result = self.alive()
        if result.ok:
            self._not_alive_since = None
            return ""
        if self._not_alive_since is None:
            self._not_alive_since = time.monotonic()
        return result.text if time.monotonic() - self._not_alive_since >= NOT_ALIVE_S else ""

    def alive(self) -> CheckResult:
        silence_s = time.monotonic() - self._answered_at
        if silence_s > self._liveness_s:
            return CheckResult(False, f"{self._name} has not answered for {silence_s:.0f} s")
        return _to_result(self._live, f"{self._name} is alive", CheckResult(True, f"{self._name} is starting"))

    def ready(self) -> CheckResult:
        silence_s = time.monotonic() - self._answered_at
        if silence_s > CHECK_TIMEOUT_S + CHECK_INTERVAL_S:
            return CheckResult(False, f"{self._name} has not answered for {silence_s:.0f} s")
        ready = f"{self._name} is ready{_describe_files(self._ready)}"
        return _to_result(self._ready, ready, CheckResult(False, f"{self._name} is starting"))

    def _step(self) -> None:
        try:
            live = self._endpoint.fetch_verdict("/livez", CHECK_TIMEOUT_S)
            self._ready = self._endpoint.fetch_verdict("/readyz", CHECK_TIMEOUT_S)
        except Unreachable:
            # Its last answers no longer hold, and nothing tells when it will answer again.
            self._live, self._ready = None, None
            PROGRAM_UP.labels(self._name).set(0)
        else:
            self._live, self._answered_at = live, time.monotonic()
            PROGRAM_UP.labels(self._name).set(1)


def _to_result(verdict: HealthVerdict | None, ok_text: str, without_answer: CheckResult) -> CheckResult:
    if verdict is None:
        return without_answer
    return CheckResult(True, ok_text) if verdict.ok else CheckResult(False, "; ".join(verdict.json()["why"]))


def _describe_files(verdict: HealthVerdict | None) -> str:
    """What a program that is ready says of its mapping and files: one that is refused makes nothing unready."""
    results = verdict.results if verdict is not None else {}
    return "".join(f"; {results[name].text}" for name in FILES if name in results)


def _fetch_metrics(endpoint: Endpoint) -> str:
    """The metrics of a program; nothing of one that does not answer."""
    try:
        return endpoint.fetch("/metrics", SCRAPE_TIMEOUT_S).decode()
    except (Unreachable, UnicodeDecodeError):
        return ""


def _add_samples(families: dict[str, Metric], program: str, metrics: Iterable[Metric]) -> None:
    for metric in metrics:
        family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
        family.samples += [
            Sample(sample.name, {"program": program, **sample.labels}, sample.value) for sample in metric.samples
        ]

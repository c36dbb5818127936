"""The pages of a process tree: those of its programs as one.

Each program serves its own pages at a local socket. Its metrics go onto the tree's page with its name as the label
`program`, so a program that was restarted is a counter that began anew, as Prometheus expects; and one that is gone
leaves no numbers behind. Its health is asked for every second, each program in a thread of its own, so a probe of the
tree is answered at once, whoever hangs.
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
from longshore.telemetry.health import CheckResult, Health, Verdict
from longshore.telemetry.metrics import PROGRAM_UP

LOOK_S = 1.0
PATIENCE_S = 5.0
"""How long one question about health may take; and after how long without an answer a program is not ready."""
SCRAPE_S = 3.0
"""How long the page of metrics waits for those of the programs."""
START_S = 60.0
"""How long a program may take until its first answer."""
SURE_S = 5.0
"""For so long it has to be found not alive before it is replaced: when the whole machine had stopped, all seem so."""


class ProcessTree(Collector):
    """The programs of a tree, by name, and the tree's own process as `own`. An `Observer` for their supervisor."""

    def __init__(self, programs: Mapping[str, Endpoint], own: Collector, own_name: str, liveness_s: float) -> None:
        """A program that does not answer for `liveness_s` is not alive."""
        self._programs = programs
        self._own = own
        self._own_name = own_name
        self._watches = {name: _Watch(name, asked, liveness_s) for name, asked in programs.items()}
        self._pool = ThreadPoolExecutor(max(1, len(programs)), thread_name_prefix="scrape")

    def start(self, health: Health) -> None:
        """Begins to ask, and adds what is found to `health`."""
        for name, watch in self._watches.items():
            health.alive_if(name, watch.alive)
            health.ready_if(f"{name} is ready", watch.ready)
            watch.start()

    def stop(self) -> None:
        """Asks no more."""
        for watch in self._watches.values():
            watch.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def started(self, name: str) -> None:
        """A process of this program was started: what was heard before was another's."""
        if name in self._watches:
            self._watches[name].begin()

    def trouble(self, name: str) -> str:
        """Why the process of this program has to be replaced; empty: it need not be."""
        return self._watches[name].trouble() if name in self._watches else ""

    def collect(self) -> Iterable[Metric]:
        """The metrics of all, each family once."""
        families: dict[str, Metric] = {}
        _add(families, self._own_name, self._own.collect())
        for name, text in zip(self._programs, self._pool.map(_page, self._programs.values()), strict=True):
            _add(families, name, text_string_to_metric_families(text))
        return families.values()


class _Watch:
    """What one program said last of its health."""

    def __init__(self, name: str, asked: Endpoint, liveness_s: float) -> None:
        self._name = name
        self._asked = asked
        self._liveness_s = liveness_s
        self.begin()
        self._loop = Periodic(f"watch-{name}", LOOK_S, self._step)
        self.start = self._loop.start

    def begin(self) -> None:
        self._heard_at = time.monotonic() + max(0.0, START_S - self._liveness_s)
        self._dead_since: float | None = None
        self._live: Verdict | None = None
        self._ready: Verdict | None = None

    def stop(self) -> None:
        self._loop.stop(0)

    def trouble(self) -> str:
        found = self.alive()
        if found.ok:
            self._dead_since = None
            return ""
        if self._dead_since is None:
            self._dead_since = time.monotonic()
        return found.says if time.monotonic() - self._dead_since >= SURE_S else ""

    def alive(self) -> CheckResult:
        silent_s = time.monotonic() - self._heard_at
        if silent_s > self._liveness_s:
            return CheckResult(False, f"{self._name} has not answered for {silent_s:.0f} s")
        return _of(self._live, f"{self._name} is alive", CheckResult(True, f"{self._name} is starting"))

    def ready(self) -> CheckResult:
        silent_s = time.monotonic() - self._heard_at
        if silent_s > PATIENCE_S + LOOK_S:
            return CheckResult(False, f"{self._name} has not answered for {silent_s:.0f} s")
        return _of(self._ready, f"{self._name} is ready", CheckResult(False, f"{self._name} is starting"))

    def _step(self) -> None:
        try:
            live = self._asked.verdict("/livez", PATIENCE_S)
            self._ready = self._asked.verdict("/readyz", PATIENCE_S)
        except Unreachable:
            # What it said last no longer holds; and nothing says how long it will not.
            self._live, self._ready = None, None
            PROGRAM_UP.labels(self._name).set(0)
        else:
            self._live, self._heard_at = live, time.monotonic()
            PROGRAM_UP.labels(self._name).set(1)


def _of(verdict: Verdict | None, content: str, unheard: CheckResult) -> CheckResult:
    if verdict is None:
        return unheard
    return CheckResult(True, content) if verdict.ok else CheckResult(False, "; ".join(verdict.json()["why"]))


def _page(asked: Endpoint) -> str:
    """The metrics of a program; nothing of one that does not answer."""
    try:
        return asked.text("/metrics", SCRAPE_S).decode()
    except (Unreachable, UnicodeDecodeError):
        return ""


def _add(families: dict[str, Metric], program: str, found: Iterable[Metric]) -> None:
    for metric in found:
        family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
        family.samples += [
            Sample(sample.name, {"program": program, **sample.labels}, sample.value) for sample in metric.samples
        ]

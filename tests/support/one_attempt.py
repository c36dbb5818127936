"""Attempts against a real Redis and a target on a real socket, without Celery or any program around them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import redis

from config.egress import build_egress_policy
from config.mapping_file import PerMapping
from config.settings import Settings, load
from longshore.delivery.target import lane_of, target_of
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping
from longshore.ledger.entry import Claim, Entry, OffsetRange
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.record import bond
from longshore.ledger.seal import Sealer
from longshore.operations.ledger_access import build_limits, build_sealer
from longshore.port.report_codec import Report, decode_report, encode_report
from tasks.worker.attempt_executor import AttemptExecutor
from tasks.worker.attempt_result import StoredResult
from tasks.worker.in_flight import InFlight
from tasks.worker.isolation.child_processes import ChildProcesses
from tasks.worker.isolation.runner import IsolationRunner
from tasks.worker.pipeline.pipeline import Pipeline
from tasks.worker.redis_clock import RedisClock
from tasks.worker.result_builder import ResultBuilder
from tasks.worker.shutdown import Shutdown
from tasks.worker.thread_pool import ThreadPool
from tasks.worker.wiring import build_executor, build_results, with_mapping
from tasks.worker.worker_metrics import WorkerMetrics
from tests.support.programs import SETTINGS

REPORTING = {"link": ".response.json.url", "externalRunId": ".response.json.id"}


class HarnessClaim:
    """A claim whose end is waited for."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.is_revoked = False
        self._ended = threading.Event()
        self._result: StoredResult | None = None

    def started(self) -> None:
        """Nothing."""

    def ended(self, result: StoredResult | None) -> None:
        """Lets go of whoever waits."""
        self._result = result
        self._ended.set()

    def wait(self) -> StoredResult | None:
        """What became of it."""
        assert self._ended.wait(120), f"nothing became of the claim of {self.claim.id}"
        return self._result


@dataclass
class AttemptHarness:
    """A worker's pipeline; `run` takes one run through all of it."""

    ledger: Ledger
    pipeline: Pipeline
    executors: PerMapping[AttemptExecutor]
    results: ResultBuilder
    in_flight: InFlight
    mappings: SimpleNamespace
    shutdown: Shutdown
    mapping: Mapping
    sealer: Sealer
    run_count: int = field(default=0)

    @property
    def executor(self) -> AttemptExecutor:
        """The one for the mapping in force."""
        return self.executors.get()

    def accept(
        self,
        url: str,
        *,
        synchronized: bool = True,
        format: int = 1,
        properties: dict[str, str] | None = None,
        **more: Any,
    ) -> str:
        """Put a run for `url` into the ledger, as a record of `format`; returns its id."""
        number, self.run_count = self.run_count, self.run_count + 1
        method = {"synchronized": synchronized, "method": "POST", "url": url}
        payload = {"action": {"invocationMethod": method}, "properties": properties or {}}
        message = {"context": {"runId": f"r_{number}"}, "payload": payload}
        values: dict[str, Any] = {
            "id": f"r_{number}",
            "kind": Kind.ACTION_RUN,
            "run": f"r_{number}",
            "target": target_of(url),
            "lane": lane_of(target_of(url), "deploy"),
            "synchronized": synchronized,
            "origin": f"stage.runs/0/{number}",
            "published_ms": 0,
            "mapping": f"{self.mapping.digest}/0",
            "payload": self.sealer.seal(
                json.dumps(message).encode(), bond(format, "payload", f"r_{number}", run=f"r_{number}")
            ),
            "unknown_outcome": "park",
            "format": format,
        }
        self.ledger.accept([OffsetRange("stage.runs", 0, number, number + 1)], [Entry(**(values | more))], max_claims=0)
        return f"r_{number}"

    def seal_reports(self, reports: list[Report]) -> tuple[bytes, ...]:
        """Reports for a record of format 1."""
        return tuple(one.kind.encode() + self.sealer.seal(encode_report(one)) for one in reports)

    def run(self, url: str, **more: Any) -> tuple[str, StoredResult | None]:
        """One attempt of a new run for `url`. Returns its id and how the attempt ended."""
        id = self.accept(url, **more)
        # Slots lapse, and a harness may serve a whole file of tests.
        self.ledger.heartbeat("worker-1", 10)
        (claim,) = self.receive()
        return id, claim.wait()

    def claim(self) -> list[HarnessClaim]:
        """What may start now."""
        return [HarnessClaim(claim) for claim in self.ledger.pump().claims]

    def receive(self) -> list[HarnessClaim]:
        """Hands what may start now to the pipeline."""
        claims = self.claim()
        self.pipeline.receive(claims)
        return claims

    def record(self, id: str, name: str) -> str:
        """A field of the ledger's record of `id`."""
        value: Any = self.ledger.redis.hget(self.ledger.keys.invocation(id), name)
        return value.decode() if value else ""

    def pending_reports(self, id: str) -> list[Report]:
        """What Port is to hear of `id`, in order."""
        items: Any = self.ledger.redis.lrange(f"{self.ledger.keys.prefix}out:{id}", 0, -1)
        return [decode_report(self.sealer.open(item[1:])) for item in items]

    def log(self, id: str) -> str:
        """The lines of the run's log."""
        return "\n".join(str(one.body["message"]) for one in self.pending_reports(id) if one.kind == "L")


@contextmanager
def attempt_harness(
    client: "redis.Redis",
    report: dict[str, str] | None = None,
    entries: list[Any] | None = None,
    slots: int = 10,
    pool: ThreadPool | None = None,
    **environ: str,
) -> Iterator[AttemptHarness]:
    """A harness whose mapping has this `report` section, or these entries."""
    settings: Settings = load({**SETTINGS, "WEBHOOK_INVOKER_TIMEOUT": "10", **environ})
    content = entries or [{"enabled": True, "report": REPORTING if report is None else report}]
    mapping = Mapping(json.dumps(content).encode(), {})
    ledger = Ledger(client, Keys.of(settings.namespace), build_limits(settings))
    ledger.heartbeat("worker-1", slots)
    egress_policy, results = build_egress_policy(settings), build_results(settings)
    clock, shutdown = RedisClock(), Shutdown()
    metrics = WorkerMetrics(settings.metrics_targets)
    pool = pool or ThreadPool(slots)
    executor = build_executor(settings, mapping, egress_policy, results, clock, metrics, slots, pool.blocking)
    in_flight, mappings = InFlight(), SimpleNamespace(current=mapping)
    executors = PerMapping(mappings, partial(with_mapping, executor, settings))
    pipeline = Pipeline(
        ledger=ledger,
        executors=executors,
        isolation=IsolationRunner(ChildProcesses(), results, egress_policy, clock, shutdown),
        results=results,
        in_flight=in_flight,
        pool=pool,
        publish=lambda claims, workers: None,
        reports_stored=lambda: None,
        clock=clock,
        shutdown=shutdown,
        metrics=metrics,
    )
    pipeline.start()
    try:
        yield AttemptHarness(
            ledger, pipeline, executors, results, in_flight, mappings, shutdown, mapping, build_sealer(settings)
        )
    finally:
        pipeline.stop()
        mapping.close()

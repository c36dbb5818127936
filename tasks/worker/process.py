"""One worker process: Celery, the pipeline it feeds, and around them heartbeat, pump, outbox and drain."""

import os
import socket
from functools import partial
from typing import Any

from celery import signals
from celery.apps.worker import Worker

from config.egress import build_egress_policy
from config.mapping_file import MappingFile, PerMapping
from config.settings import Settings
from config.target_files import check_mapping, log_unsafe_in_mapping
from config.tracing import tracer
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.ledger_access import open_ledger
from longshore.runtime.heap import freeze_heap
from longshore.runtime.mapping_watch import MappingWatch
from longshore.runtime.open_files import allow_open_files
from longshore.telemetry.port_calls import CountedPortClient
from longshore.telemetry.tracing import Traces
from tasks.celery.app import make_app
from tasks.celery.lapsed_events import LapsedTaskEvents
from tasks.celery.names import DELIVER, REQUEUE
from tasks.celery.publish import Publisher
from tasks.celery.task_events import TaskEvents
from tasks.worker.drain import Drain
from tasks.worker.heartbeat import Heartbeat
from tasks.worker.in_flight import InFlight
from tasks.worker.internal_services import InternalServices
from tasks.worker.isolation.child_processes import ChildProcesses
from tasks.worker.isolation.runner import IsolationRunner
from tasks.worker.outbox import SENDERS, Outbox
from tasks.worker.pipeline.pipeline import Pipeline
from tasks.worker.pump import Pump
from tasks.worker.redis_clock import RedisClock
from tasks.worker.requeue_runner import RequeueRunner
from tasks.worker.shutdown import Shutdown
from tasks.worker.thread_pool import AT_WORK, ThreadPool
from tasks.worker.wait_estimates import WaitEstimates
from tasks.worker.wiring import build_executor, build_results, with_mapping
from tasks.worker.worker_health import REDIS_WAIT_S, WorkerHealth
from tasks.worker.worker_metrics import WorkerMetrics

log = EventLog(__name__)

JQ_PROCESSES = 3
"""How many mappings are evaluated at once, and reports as many; a process takes 6 MB, and starts when it is needed."""


REDIS_CONNECTIONS = 50
"""To the ledger, at most: one for each thread that may ask it at once."""


class WorkerProcess:
    """Everything in one worker process, each part built from those before it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        slots = settings.worker_slots
        shutdown = self._shutdown = Shutdown()
        clock = RedisClock()
        in_flight = InFlight()
        metrics = WorkerMetrics(settings.metrics_targets)
        app = self._app = make_app(settings)
        access = open_ledger(settings, REDIS_CONNECTIONS)
        ledger = self._ledger = access.ledger
        jq_processes = 1 if settings.has_small_profile else JQ_PROCESSES
        self._mappings = MappingFile(settings, jq_processes, check_mapping)
        self._mapping_watch = MappingWatch(self._mappings, lambda mapping: log_unsafe_in_mapping(mapping.deliveries))
        reporters = ThreadPool(SENDERS, at_work=1, name="report")
        self._port = CountedPortClient(
            settings.port_api_base_url,
            settings.port_client_id,
            settings.port_client_secret,
            pool_size=SENDERS,
            blocking=reporters.blocking,
            tls=settings.port_tls,
        )

        # What hands out claims, and what tells Port.
        self._task_events = TaskEvents(app)
        lapsed_events = LapsedTaskEvents(ledger, self._task_events)
        self._publisher = Publisher(app)
        self._pump = Pump(
            ledger,
            self._publisher.publish,
            interval_s=settings.pump_interval_s,
            limit_s=settings.liveness_s + REDIS_WAIT_S,
            on_lapsed=lapsed_events.send,
            metrics=metrics,
        )
        self._outbox = Outbox(ledger, access.sealer, self._port, reporters, Traces(access.sealer, tracer()))
        self._wait_estimates = WaitEstimates(ledger)

        # What says that this process lives, and how it ends.
        self._heartbeat = Heartbeat(
            ledger,
            in_flight,
            slots=slots,
            lease_s=settings.lease_s,
            hung_limit=settings.worker_hung_limit,
            clock=clock,
            shutdown=shutdown,
            activity=metrics.activity,
        )
        self._health = WorkerHealth(
            app, ledger, in_flight, slots=slots, liveness_s=settings.liveness_s, draining=shutdown.draining
        )
        self._results = build_results(settings)
        self._drain = Drain(
            shutdown,
            ledger,
            self._results,
            in_flight,
            grace_s=settings.drain_grace_s,
            withdraw=self._withdraw,
            send_reports=self._outbox.stop,
        )

        # What makes attempts.
        egress_policy = build_egress_policy(settings)
        self._internal_services = InternalServices(settings, ledger, egress_policy)
        pool = ThreadPool(slots + AT_WORK)
        executor = build_executor(
            settings,
            self._mappings.current,
            egress_policy,
            self._results,
            clock=clock,
            metrics=metrics,
            slots=slots,
            blocking=pool.blocking,
        )
        self._attempt_log = executor.attempt_log
        self._pipeline = Pipeline(
            ledger=ledger,
            executors=PerMapping(self._mappings, partial(with_mapping, executor, settings)),
            isolation=IsolationRunner(ChildProcesses(), self._results, egress_policy, clock, shutdown),
            results=self._results,
            in_flight=in_flight,
            pool=pool,
            publish=self._publisher.publish,
            reports_stored=self._outbox.wake,
            clock=clock,
            shutdown=shutdown,
            metrics=metrics,
        )
        app.tasks[DELIVER].receiver = self._pipeline
        app.tasks[DELIVER].events = self._task_events

        # What operators ask for.
        self._requeue_runner = RequeueRunner(access.requeue)
        app.tasks[REQUEUE].access = access

        self._is_started = False

    def run(self) -> int:
        """Runs until SIGTERM; returns the exit code."""
        allow_open_files(self._settings.worker_slots)
        self._mapping_watch.start()
        signals.worker_ready.connect(self._on_ready, weak=False)
        signals.worker_shutting_down.connect(self._on_shutting_down, weak=False)
        worker = Worker(
            app=self._app,
            hostname=f"longshore-{os.getpid()}@{socket.gethostname()}",
            concurrency=self._settings.worker_slots,
            loglevel=self._settings.log_level,
            without_gossip=True,
            without_mingle=True,
            task_events=self._settings.worker_events,
            quiet=True,
        )
        worker.start()
        self._drain.start()
        self._drain.wait()
        self._stop()
        log.event(events.WORKER_STOPPED)
        return int(worker.exitcode or self._shutdown.exit_code)

    def _on_ready(self, sender: Any = None, **_: Any) -> None:
        # Sent again after each reconnect to the broker, with another consumer.
        self._health.use(sender)
        if not self._is_started:
            self._is_started = True
            for part in (
                self._attempt_log,
                self._pipeline,
                self._health,
                self._heartbeat,
                self._task_events,
                self._pump,
                self._outbox,
                self._requeue_runner,
                self._wait_estimates,
                self._internal_services,
            ):
                part.start()
            freeze_heap()
            log.event(events.WORKER_READY, worker=self._heartbeat.worker, slots=self._settings.worker_slots)

    def _on_shutting_down(self, **_: Any) -> None:
        self._drain.start()

    def _withdraw(self) -> None:
        self._pump.stop()
        self._heartbeat.withdraw()

    def _stop(self) -> None:
        """Ends every part. The heartbeat stops late: leases of what still ends are renewed until then."""
        for part in (
            self._pipeline,
            self._health,
            self._pump,
            self._requeue_runner,
            self._wait_estimates,
            self._internal_services,
            self._mapping_watch,
            self._heartbeat,
            self._task_events,
            self._outbox,
            self._attempt_log,
        ):
            part.stop()
        self._publisher.close()
        self._mappings.close()
        self._port.close()


def run(settings: Settings) -> int:
    """Runs one worker process in the foreground until SIGTERM; returns its exit code."""
    return WorkerProcess(settings).run()

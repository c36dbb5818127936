"""One worker process: Celery's pool of threads, and around it pump, beat, outbox and drain."""

import os
import signal
import socket
from typing import Any

import structlog
from celery import signals
from celery.apps.worker import Worker

from config.egress import fence_of
from config.settings import Settings
from config.tracing import tracer
from longshore.invocation.mapping import Mapping
from longshore.operations.ledger_access import open_ledger
from longshore.telemetry.port_calls import CountedPortClient
from longshore.telemetry.tracing import Traces
from tasks.celery.app import make_app
from tasks.celery.lapsed_events import Obituaries
from tasks.celery.publish import TASK, BackgroundPublisher, Publisher
from tasks.celery.requeue import TASK as REQUEUE
from tasks.celery.revoked_tasks import park_revoked
from tasks.worker.attempt_runner import Attempts
from tasks.worker.drain import Drain
from tasks.worker.in_flight import InFlight
from tasks.worker.internal_services import OwnServices
from tasks.worker.isolation.runner import Suspects
from tasks.worker.outbox import SENDERS, Outbox
from tasks.worker.pump import Beat, Pump
from tasks.worker.requeue_runner import Jobs
from tasks.worker.wait_estimates import Forecast
from tasks.worker.wiring import longest_s, performer_of, story_of
from tasks.worker.worker_health import WAIT_S, Signs

log = structlog.get_logger(__name__)

JQ_PROCESSES = 3
"""How many mappings are evaluated at once, and reports as many; a process takes 6 MB, and starts when it is needed."""

RESTART = 1
"""Exit code of a process that asks for another in its place."""


class WorkerProcess:
    """Everything in one worker process, wired together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app = make_app(settings)
        access = open_ledger(settings, settings.worker_slots + 40)
        self._ledger = access.ledger
        self._mapping = Mapping.load(
            settings.mapping_path, settings.mapping_env(), 1 if settings.longshore_small else JQ_PROCESSES
        )
        self._port = CountedPortClient(
            settings.port_api_base_url, settings.port_client_id, settings.port_client_secret, pool_size=SENDERS
        )
        self._story = story_of(settings)
        self._in_flight = InFlight()
        self._publisher = BackgroundPublisher(Publisher(self._app))
        self._obituaries = Obituaries(self._ledger)
        self._pump = Pump(
            self._ledger,
            self._publisher.publish,
            settings.pump_interval_s,
            settings.liveness_s + WAIT_S,
            self._obituaries.tell,
        )
        self._beat = Beat(
            self._ledger,
            self._in_flight,
            settings.worker_slots,
            settings.lease_s,
            settings.worker_hung_limit,
            self._restart,
        )
        self._outbox = Outbox(self._ledger, access.sealer, self._port, Traces(access.sealer, tracer()))
        self._jobs = Jobs(access.requeue)
        self._forecast = Forecast(self._ledger)
        self._app.tasks[REQUEUE].access = access
        self._drain = Drain(
            self._ledger, self._story, self._in_flight, settings.drain_grace_s, self._withdraw, self._outbox.stop
        )
        self._fence = fence_of(settings)
        self._own_services = OwnServices(settings, self._ledger, self._fence)
        self._signs = Signs(
            self._app, self._ledger, self._in_flight, settings.worker_slots, settings.liveness_s, self._drain.begun
        )
        self._started = False
        self._app.tasks[TASK].attempts = self._attempts()

    def run(self) -> int:
        """Runs until SIGTERM; returns the exit code."""
        for warning in self._mapping.warnings:
            log.warning("mapping.suspicious", problem=warning)
        signals.worker_ready.connect(self._ready, weak=False)
        signals.worker_shutting_down.connect(self._shutting_down, weak=False)
        signals.task_revoked.connect(self._revoked, weak=False)
        worker = Worker(
            app=self._app,
            hostname=f"longshore-{os.getpid()}@{socket.gethostname()}",
            pool_cls="threads",
            concurrency=self._settings.worker_slots,
            loglevel=self._settings.log_level,
            without_gossip=True,
            without_mingle=True,
            task_events=self._settings.worker_events,
            quiet=True,
        )
        worker.start()
        self._stop()
        log.info("worker.stopped")
        return int(worker.exitcode or self._drain.exit_code)

    def _attempts(self) -> Attempts:
        performer = performer_of(
            self._settings,
            self._mapping,
            self._fence,
            self._story,
            self._settings.worker_slots,
            lambda: self._beat.clock_offset_ms,
        )
        return Attempts(
            ledger=self._ledger,
            performer=performer,
            story=self._story,
            in_flight=self._in_flight,
            longest_s=longest_s(self._settings, self._mapping),
            handed_out=self._publisher.publish,
            clock_offset_ms=lambda: self._beat.clock_offset_ms,
            draining=self._drain.begun,
            suspects=Suspects(self._fence),
            counts=performer.counts,
        )

    def _restart(self) -> None:
        """Ends this process in order; whoever keeps it alive starts another."""
        if not self._drain.begun.is_set():
            log.error("worker.restarts", reason="too many threads hang", limit=self._settings.worker_hung_limit)
            self._drain.exit_code = RESTART
            os.kill(os.getpid(), signal.SIGTERM)

    def _ready(self, sender: Any = None, **_: Any) -> None:
        # Sent anew after each reconnect to the broker.
        self._signs.consumes_with(sender)
        self._obituaries.consumes_with(sender)
        if not self._started:
            self._started = True
            self._signs.start()
            for part in (self._beat, self._pump, self._outbox, self._jobs, self._forecast, self._own_services):
                part.start()
            log.info("worker.ready", worker=self._beat.worker, slots=self._settings.worker_slots)

    def _shutting_down(self, **_: Any) -> None:
        self._drain.start()

    def _revoked(self, request: Any = None, **_: Any) -> None:
        if request is not None and request.task == TASK:
            park_revoked(self._ledger, self._story, request.args)

    def _withdraw(self) -> None:
        self._pump.stop()
        self._beat.withdraw()

    def _stop(self) -> None:
        self._signs.stop()
        for part in (
            self._pump,
            self._jobs,
            self._forecast,
            self._own_services,
            self._beat,
            self._publisher,
            self._outbox,
        ):
            part.stop()
        self._mapping.close()
        self._port.close()


def run(settings: Settings) -> int:
    """Runs one worker process in the foreground until SIGTERM; returns its exit code."""
    return WorkerProcess(settings).run()

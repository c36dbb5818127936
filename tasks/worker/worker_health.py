"""What a worker shows of its state: how full it is, whether it takes work, whether it has its broker."""

import threading
import time
from typing import Any

from celery import Celery
from celery.bootsteps import RUN
from celery.worker import state as celery_state

from longshore.errors import StoreUnavailable
from longshore.ledger.ledger import Ledger
from longshore.periodic import Periodic
from longshore.telemetry import metrics
from longshore.telemetry.health import PROCESS_HEALTH, CheckResult
from tasks.celery.names import queues
from tasks.worker.in_flight import InFlight

CHECK_INTERVAL_S = 1.0
REDIS_WAIT_S = 30.0
"""On top of LIVENESS_S: what one turn of the pump may wait for a Redis that does not answer."""


class WorkerHealth:
    """Whether this worker lives and has its broker.

    It does not live if it has free slots, messages for it lie there or were taken, and still no attempt has started
    for LIVENESS_S. How a worker may come to that: its loop hangs, it no longer consumes, its threads are stuck.
    """

    def __init__(
        self, app: Celery, ledger: Ledger, in_flight: InFlight, slots: int, liveness_s: float, draining: threading.Event
    ) -> None:
        self._ledger = ledger
        self._in_flight = in_flight
        self._slots = slots
        self._liveness_s = liveness_s
        self._draining = draining
        prefix = app.conf.broker_transport_options["global_keyprefix"]
        self._lists = [prefix + name for name in queues()]
        self._consumer: Any = None
        self._start_count = -1
        self._idle_since: float | None = None
        self._waiting = 0
        self._loop = Periodic("worker-health", CHECK_INTERVAL_S, self._step)
        self.start, self.stop = self._loop.start, self._loop.stop
        metrics.IN_FLIGHT.set_function(lambda: len(in_flight))
        metrics.SLOTS.set_function(lambda: 0 if draining.is_set() else max(0, slots - len(in_flight.hung())))
        PROCESS_HEALTH.alive_if("taking work", self._check_taking)
        PROCESS_HEALTH.ready_if("broker", self._check_broker)

    def use(self, consumer: Any) -> None:
        """Celery's consumer, once it is ready, and again after each reconnect."""
        self._consumer = consumer

    def _step(self) -> float | None:
        try:
            lengths = self._ledger.list_lengths(self._lists)
        except StoreUnavailable:
            self._idle_since = None  # nothing can be taken now, and what was before says nothing of what comes after
            raise
        lease = len(celery_state.reserved_requests) - len(celery_state.active_requests)
        start_count = celery_state.all_total_count[0]
        self._waiting = sum(lengths) + max(0, lease)
        if not self._waiting or start_count != self._start_count or len(self._in_flight) >= self._slots:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = time.monotonic()
        self._start_count = start_count
        return None

    def _check_taking(self) -> CheckResult:
        since = self._idle_since
        if self._draining.is_set():
            return CheckResult(True, "it is ending, and takes no work")
        idle_s = 0.0 if since is None else time.monotonic() - since
        if idle_s > self._liveness_s:
            waiting = f"{self._waiting} messages wait"
            return CheckResult(False, f"it has free slots, but has started nothing for {idle_s:.0f} s while {waiting}")
        return CheckResult(True, "it takes work" if self._waiting else "it has nothing to take")

    def _check_broker(self) -> CheckResult:
        if self._draining.is_set():
            return CheckResult(False, "it is ending")
        if self._consumer is None:
            return CheckResult(False, "it is not connected to Redis as its broker yet")
        if self._consumer.connection is None or self._consumer.blueprint.state != RUN:
            return CheckResult(False, "it has lost its connection to Redis as its broker, and makes another")
        return CheckResult(True, "it is connected to Redis as its broker")

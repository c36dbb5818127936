"""Whether a worker lives: it does not if it could work and does not, which an outage of Redis says nothing of."""

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from longshore.errors import StoreUnavailable
from longshore.telemetry.health import Health
from tasks.worker import worker_health
from tasks.worker.in_flight import InFlight
from tasks.worker.worker_health import WorkerHealth

LIVENESS_S = 60.0


class Broker:
    """A Redis whose list of the newest format holds messages, or that is away."""

    away = False

    def list_lengths(self, names: Sequence[str]) -> list[int]:
        if self.away:
            raise StoreUnavailable
        return [3 if name == "a:deliver.2" else 0 for name in names]


def test_what_was_idle_before_an_outage_is_forgotten_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages waited for a moment, then Redis was gone for ten minutes: that is no ten minutes of doing nothing."""
    now, health, broker = [1000.0], Health(), Broker()
    monkeypatch.setattr(worker_health, "PROCESS_HEALTH", health)
    monkeypatch.setattr(worker_health, "metrics", SimpleNamespace(IN_FLIGHT=_Gauge, SLOTS=_Gauge))
    monkeypatch.setattr(worker_health, "time", SimpleNamespace(monotonic=lambda: now[0]))
    conf = SimpleNamespace(broker_transport_options={"global_keyprefix": "a:"})
    app: Any = SimpleNamespace(conf=conf)
    ledger: Any = broker
    worker = WorkerHealth(app, ledger, InFlight(), 5, LIVENESS_S, threading.Event())

    def look() -> bool:
        try:
            worker._step()
        except StoreUnavailable:
            assert broker.away
        return health.live().results["taking work"].ok

    look()
    assert look()
    broker.away = True
    now[0] += 600
    assert look()
    broker.away = False
    assert look()
    now[0] += LIVENESS_S + 1
    assert not look()


class _Gauge:
    @staticmethod
    def set_function(tell: Any) -> None:
        """Nobody asks."""

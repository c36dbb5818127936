"""The client of the Port API that counts its calls."""

import time
from collections.abc import Mapping
from typing import Any

from longshore.errors import PortRefused, PortUnavailable
from longshore.port.client import PortClient
from longshore.port.replies import Reply
from longshore.telemetry.metrics import PORT_CALLS, PORT_SECONDS


class CountedPortClient(PortClient):
    """As `PortClient`; every call is counted by its outcome, and timed."""

    def call(self, method: str, path: str, json: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """As PortClient's."""
        started_at = time.perf_counter()
        outcome = "error"
        try:
            reply = super().call(method, path, json, headers)
            outcome = "ok"
            return reply
        except PortUnavailable:
            outcome = "unavailable"
            raise
        except PortRefused:
            outcome = "refused"
            raise
        finally:
            PORT_CALLS.labels(outcome).inc()
            PORT_SECONDS.observe(time.perf_counter() - started_at)

"""The pages of metrics and health of a program, as its role and the settings want them."""

import os
import uuid
from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from config.roles import Role
from config.settings import Settings
from longshore.cli.version import version
from longshore.errors import ConfigError
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.telemetry import health, metrics
from longshore.telemetry.client import Endpoint
from longshore.telemetry.http_server import CombinedCollector, TelemetryServer
from longshore.telemetry.process_tree import ProcessTree

log = EventLog(__name__)

REGISTRIES_BY_ROLE: dict[Role, tuple[CollectorRegistry, ...]] = {
    Role.INGEST: (metrics.PROCESS, metrics.INGEST, metrics.FAILURES, metrics.MAPPING, metrics.PORT),
    Role.WORKER: (metrics.PROCESS, metrics.WORKER, metrics.FAILURES, metrics.MAPPING, metrics.PORT),
    Role.FLOWER: (metrics.PROCESS,),
    Role.RUN: (metrics.PROCESS, metrics.SUPERVISOR),
}
"""What a program of each role counts."""

FLEET_ROLES = frozenset({Role.INGEST, Role.FLOWER})
"""Roles with the fleet's metrics. Not workers: there may be many, and all would ask Redis for the same."""


def serve(settings: Settings, role: Role, metrics_socket: str = "") -> None:
    """Serve the pages of this process: at METRICS_PORT, or at the local socket that a supervisor named.

    Raises ConfigError if the port cannot be had. Nothing of it needs to be stopped: it ends with the process.
    """
    from longshore.cli.ledger_telemetry import build_fleet_collector, watch_redis

    # Whether or not anybody asks: its writes find out for all readers of this program that the primary has changed.
    watch = watch_redis(settings)
    if not settings.metrics_port and not metrics_socket:
        return
    metrics.INFO.labels(role.value, version()).set(1)
    health.PROCESS_HEALTH.ready_if("redis", watch.check)
    collectors: list[Collector] = [*REGISTRIES_BY_ROLE[role]]
    if metrics_socket:
        TelemetryServer.at_socket(metrics_socket, CombinedCollector(collectors), health.PROCESS_HEALTH).start()
        return
    if role in FLEET_ROLES:
        collectors.append(build_fleet_collector(settings))
    _serve(settings, CombinedCollector(collectors))


def serve_tree(settings: Settings, sockets: Mapping[str, str]) -> ProcessTree:
    """Watch the programs of `longshore run`, whose sockets are given by name, and serve their pages as one.

    Raises ConfigError if the port cannot be had.
    """
    metrics.INFO.labels(Role.RUN.value, version()).set(1)
    endpoints = {name: Endpoint(socket=socket) for name, socket in sockets.items()}
    process_tree = ProcessTree(
        endpoints, CombinedCollector(REGISTRIES_BY_ROLE[Role.RUN]), Role.RUN.value, settings.liveness_s
    )
    process_tree.start(health.PROCESS_HEALTH)
    if settings.metrics_port:
        # Here, as without a page a supervisor needs no client of Redis, which is a third of its memory.
        from longshore.cli.ledger_telemetry import build_fleet_collector, watch_redis

        watch_redis(settings)
        _serve(settings, CombinedCollector([process_tree, build_fleet_collector(settings)]))
    return process_tree


def name_sockets(names: list[str]) -> dict[str, str]:
    """A socket for each program of a tree, that no other tree of this machine has."""
    tree = f"longshore-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return {name: f"{tree}-{name}" for name in names}


def _serve(settings: Settings, collector: Collector) -> None:
    address, port = settings.metrics_address, settings.metrics_port
    try:
        server = TelemetryServer.at_port(address, port, collector, health.PROCESS_HEALTH)
    except OSError as error:
        problem = f"{port} at {address or 'every address'} cannot be had ({error.strerror or error})"
        remedy = "Give each program on a machine a port of its own, or 0 for no page"
        raise ConfigError("METRICS_PORT", problem, remedy) from None
    server.start()
    log.event(events.METRICS_SERVED, port=port, address=address or "all", paths="/metrics /livez /readyz")

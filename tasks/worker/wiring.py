"""Builds what makes attempts, for a worker process and for the process of an isolated attempt."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from config.host_table_files import follow_targets
from config.settings import Settings
from config.tracing import tracer
from longshore.delivery import EgressPolicy
from longshore.delivery.request_builder import RequestBuilder
from longshore.delivery.send import Sender
from longshore.delivery.target_options import find_credentials
from longshore.invocation.mapping import Mapping
from longshore.operations.ledger_access import build_sealer
from longshore.runtime.settings_file_status import SettingsFileStatus
from longshore.telemetry.tracing import Traces
from tasks.worker.attempt_executor import AttemptExecutor
from tasks.worker.attempt_log import AttemptLog
from tasks.worker.delivery_settings import DeliverySettingsTable
from tasks.worker.redis_clock import RedisClock
from tasks.worker.result_builder import ResultBuilder
from tasks.worker.worker_metrics import WorkerMetrics

if TYPE_CHECKING:
    from longshore.delivery.credentials import Credentials


def build_results(settings: Settings) -> ResultBuilder:
    """What builds the ends of attempts."""
    return ResultBuilder(build_sealer(settings), settings.detailed_logging, settings.response_keep_bytes)


def build_executor(
    settings: Settings,
    mapping: Mapping,
    egress_policy: EgressPolicy,
    results: ResultBuilder,
    clock: RedisClock,
    metrics: WorkerMetrics,
    slots: int,
    blocking: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> AttemptExecutor:
    """What makes attempts, up to `slots` at once. `blocking` is entered by a thread that may wait for a target."""
    sealer = build_sealer(settings)
    sender = Sender(
        secret=settings.port_client_secret,
        timeout_s=settings.webhook_invoker_timeout,
        total_s=settings.total_timeout_s,
        verify=settings.webhook_verify_ssl,
        pool_size=slots,
        response_cap=settings.response_max_bytes,
        egress_policy=egress_policy,
        targets=follow_targets(settings.targets_file, SettingsFileStatus("TARGETS_FILE").note, delivers=True),
        blocking=blocking,
    )
    return AttemptExecutor(
        sealer=sealer,
        mapping=mapping,
        builder=RequestBuilder(mapping, settings.secrets, settings.secrets_to_mask),
        sender=sender,
        results=results,
        delivery_settings=DeliverySettingsTable(settings, mapping.deliveries),
        webhook_signer=settings.webhook_signer,
        clock=clock,
        metrics=metrics,
        traces=Traces(sealer, tracer()),
        attempt_log=AttemptLog(),
        credentials=_build_credentials(settings, mapping, sender),
    )


def with_mapping(executor: AttemptExecutor, settings: Settings, mapping: Mapping) -> AttemptExecutor:
    """The same executor, but for its mapping."""
    return replace(
        executor,
        mapping=mapping,
        builder=RequestBuilder(mapping, settings.secrets, settings.secrets_to_mask),
        delivery_settings=DeliverySettingsTable(settings, mapping.deliveries),
        credentials=executor.credentials or _build_credentials(settings, mapping, executor.sender),
    )


def _build_credentials(settings: Settings, mapping: Mapping, sender: Sender) -> "Credentials | None":
    if settings.targets_file is None and next(find_credentials(mapping.deliveries, sender.targets()), None) is None:
        return None  # a file may name some later
    from longshore.delivery.credentials import Credentials  # which most agents need not

    return Credentials(sender)

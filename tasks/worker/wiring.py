"""Puts together what makes attempts, for a worker process and for the process in which a suspect is tried."""

from collections.abc import Callable

from config.settings import Settings
from config.tracing import tracer
from longshore.delivery import Fence
from longshore.delivery.request_builder import RequestBuilder
from longshore.delivery.send import Sender
from longshore.invocation.mapping import Mapping
from longshore.operations.ledger_access import sealer_of
from longshore.store.entry import Begun
from longshore.telemetry.tracing import Traces
from tasks.worker.attempt_executor import Performer
from tasks.worker.delivery_settings import AllTerms
from tasks.worker.result_builder import Story
from tasks.worker.worker_health import Counts

_AROUND_S = 30.0  # what an attempt may take besides its request: its start time, the mapping, Redis


def story_of(settings: Settings) -> Story:
    """What attempts leave behind."""
    sealer = sealer_of(settings)
    return Story(sealer, settings.detailed_logging, settings.response_keep_bytes)


def performer_of(
    settings: Settings,
    mapping: Mapping,
    fence: Fence,
    story: Story,
    slots: int,
    clock_offset_ms: Callable[[], float],
) -> Performer:
    """What makes attempts, for up to `slots` threads. See `Performer` for the rest."""
    sealer = sealer_of(settings)
    return Performer(
        sealer=sealer,
        builder=RequestBuilder(mapping, settings.secrets, settings.masked),
        sender=Sender(
            secret=settings.port_client_secret,
            timeout_s=settings.webhook_invoker_timeout,
            total_s=settings.total_timeout_s,
            verify=settings.webhook_verify_ssl,
            pool_size=slots,
            response_cap=settings.response_max_bytes,
            fence=fence,
        ),
        story=story,
        terms=AllTerms(settings, mapping.deliveries).of,
        idempotency_header=settings.idempotency_header,
        clock_offset_ms=clock_offset_ms,
        counts=Counts(settings.metrics_targets),
        traces=Traces(sealer, tracer()),
    )


def longest_s(settings: Settings, mapping: Mapping) -> Callable[[Begun], float]:
    """Tells how long an attempt may take, with what is around its request: by its mapping, or by any of them."""
    terms = AllTerms(settings, mapping.deliveries)

    def of(begun: Begun) -> float:
        entry = mapping.referenced(begun.mapping)
        return (terms.longest_s if entry is None else terms.of(begun.kind, entry).total_s) + _AROUND_S

    return of

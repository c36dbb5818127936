"""Puts together what makes attempts, for a worker process and for the process in which a suspect is tried."""

import threading
from collections.abc import Callable

from config.settings import Settings
from config.tracing import Traces, tracer
from longshore.delivery import Fence
from longshore.delivery.send import Sender
from longshore.invocation.mapping import Mapping
from longshore.store.entry import Claim
from longshore.store.ledger import Ledger
from longshore.store.seal import Sealer
from tasks.attempt import Attempts
from tasks.in_flight import InFlight
from tasks.quarantine import Recorder, Suspects
from tasks.request import RequestBuilder
from tasks.signs import Counts
from tasks.story import Story
from tasks.terms import AllTerms

_AROUND_S = 30.0  # what an attempt may take besides its request: its start time, the mapping, Redis


def story_of(settings: Settings) -> Story:
    """What attempts leave behind."""
    sealer = Sealer(settings.port_client_secret, settings.port_client_secret_previous)
    return Story(sealer, settings.detailed_logging, settings.response_keep_bytes)


def attempts_of(
    settings: Settings,
    ledger: Ledger | Recorder,
    mapping: Mapping,
    fence: Fence,
    story: Story,
    *,
    slots: int,
    in_flight: InFlight,
    handed_out: Callable[[tuple[Claim, ...]], None],
    clock_offset_ms: Callable[[], float],
    draining: threading.Event,
    suspects: Suspects | None,
) -> Attempts:
    """Attempts for up to `slots` threads. See `Attempts` for the rest."""
    terms = AllTerms(settings, mapping.deliveries)
    sealer = Sealer(settings.port_client_secret, settings.port_client_secret_previous)
    return Attempts(
        ledger=ledger,
        builder=RequestBuilder(sealer, mapping, settings.secrets),
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
        in_flight=in_flight,
        terms=terms.of,
        idempotency_header=settings.idempotency_header,
        longest_s=terms.longest_s + _AROUND_S,
        handed_out=handed_out,
        clock_offset_ms=clock_offset_ms,
        draining=draining,
        suspects=suspects,
        counts=Counts(settings.metrics_targets),
        traces=Traces(sealer, tracer()),
    )

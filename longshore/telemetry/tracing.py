"""Spans of what happens to an invocation: accepted, attempted, reported. Its trace is passed on in any case.

With OpenTelemetry's no-op tracer a span is its parent: nothing is measured, and the trace goes on as it came.
"""

import atexit
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import requests
from opentelemetry.trace import INVALID_SPAN, NoOpTracer, Span, SpanContext, SpanKind, StatusCode, Tracer, use_span

from longshore.delivery.outcome import Outcome, Verdict
from longshore.invocation import trace
from longshore.ledger.seal import Bond, Sealer, Unsealable
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.network.adapter import SharedTlsAdapter
from longshore.network.tls import Tls

log = EventLog(__name__)

FLUSH_S = 1.0
"""How long the end of a process waits for its last spans."""

Facts = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class AttemptSpan:
    """An attempt under way, in whatever thread: the headers that continue its trace, and what came of it."""

    headers: dict[str, str]
    span: Span

    def ended(self, outcome: Outcome) -> None:
        """The target answered, or did not."""
        self.span.set_attribute("longshore.outcome", outcome.reason)
        if outcome.status is not None:
            self.span.set_attribute("http.response.status_code", outcome.status)
        if outcome.verdict is not Verdict.DELIVERED:
            self.span.set_status(StatusCode.ERROR, outcome.reason)
        self.span.end()

    def failed(self) -> None:
        """A fault of ours broke the attempt off."""
        self.span.set_status(StatusCode.ERROR)
        self.span.end()


_NO_TRACE = AttemptSpan({}, INVALID_SPAN)
"""What the no-op tracer makes of an attempt without a trace."""


class Traces:
    """Continues the traces of invocations. Thread safe; never raises for what concerns only traces."""

    def __init__(self, sealer: Sealer, tracer: Tracer | None = None) -> None:
        """`tracer`: whom to tell; by default nobody."""
        self._sealer = sealer
        self._tracer = tracer or NoOpTracer()
        self._tells_nobody = isinstance(self._tracer, NoOpTracer)

    def accepted(self, context: SpanContext | None, facts: Facts, bond: Bond | None = None) -> bytes:
        """What is stored of the trace with an invocation, sealed; empty for none."""
        if self._tells_nobody and context is None:
            return b""
        with self._span("accept", SpanKind.CONSUMER, context, facts) as span:
            stored = trace.dumps(span.get_span_context())
        return self._sealer.seal(stored, bond) if stored else b""

    def attempt(self, stored: bytes, mapped: Mapping[str, str], facts: Facts, bond: Bond | None = None) -> AttemptSpan:
        """One attempt, begun now. `mapped` are the headers of the mapping; a trace that they continue wins, whole."""
        if self._tells_nobody and not stored:
            return _NO_TRACE
        span = self._start("deliver", SpanKind.CLIENT, self._opened(stored, bond), facts)
        continues_another = any(name.lower() == trace.PARENT for name in mapped)
        return AttemptSpan({} if continues_another else trace.to_headers(span.get_span_context()), span)

    @contextmanager
    def report(self, stored: bytes, facts: Facts, bond: Bond | None = None) -> Iterator[None]:
        """Around the calls that tell Port of one run."""
        with self._span("report", SpanKind.CLIENT, self._opened(stored, bond), facts):
            yield

    def _opened(self, stored: bytes, bond: Bond | None) -> SpanContext | None:
        try:
            return trace.loads(self._sealer.open(stored, bond)) if stored else None
        except Unsealable:
            return None

    def _span(
        self, name: str, kind: SpanKind, context: SpanContext | None, facts: Facts
    ) -> AbstractContextManager[Span]:
        # A traceback may quote what no collector should see.
        return use_span(self._start(name, kind, context, facts), end_on_exit=True, record_exception=False)

    def _start(self, name: str, kind: SpanKind, context: SpanContext | None, facts: Facts) -> Span:
        return self._tracer.start_span(name, trace.as_parent(context), kind, dict(facts))


def exporting_tracer(service_name: str | None, *, own_session: bool) -> Tracer | None:
    """A tracer whose spans go to the collector that OpenTelemetry's variables name; None without the extra `otel`.

    They go in batches, from a thread of its own; a collector that is away costs spans and nothing else. `service_name`:
    None where OpenTelemetry's variables give one. `own_session`: trust as all our clients do.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.event(events.TRACING_NOT_INSTALLED)
        return None
    resource = Resource.create({"service.name": service_name} if service_name else {})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(session=_trusting_session() if own_session else None)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    atexit.register(_shut_down, provider.shutdown)
    log.event(events.TRACING_STARTED)
    return provider.get_tracer("longshore")


def _trusting_session() -> requests.Session:
    session = requests.Session()
    session.mount("https://", SharedTlsAdapter(1, proxy_tls=Tls()))
    return session


def _shut_down(shutdown: Callable[[], None]) -> None:
    """Sends the last spans, but never holds up the end of a process for a collector that is away."""
    thread = threading.Thread(target=shutdown, name="last-spans", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return
    thread.join(FLUSH_S)

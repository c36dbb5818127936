"""Traces: passed on by everybody, and told to an OpenTelemetry collector where one is named.

Without `OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`) nothing of OpenTelemetry is even imported. With it
spans go out in batches from a thread of its own; a collector that is away costs spans and nothing else.
"""

import atexit
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import requests
import structlog

from longshore.delivery.outcome import Outcome, Verdict
from longshore.invocation.trace import TraceContext
from longshore.network.adapter import TrustingAdapter
from longshore.store.seal import Bond, Sealer, Unsealable

log = structlog.get_logger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH_S = 1.0
"""How long the end of a process waits for its last spans."""

Facts = Mapping[str, str | int]


@dataclass(slots=True)
class Sent:
    """An attempt under way: the headers that continue its trace, and what came of it."""

    headers: dict[str, str] = field(default_factory=dict)
    span: Any = None

    def ended(self, outcome: Outcome) -> None:
        """Tell the span how the target answered."""
        if self.span is None:
            return
        self.span.set_attribute("longshore.outcome", outcome.reason)
        if outcome.status is not None:
            self.span.set_attribute("http.response.status_code", outcome.status)
        if outcome.verdict is not Verdict.DELIVERED:
            self.span.set_status(_error(), outcome.reason)


class Traces:
    """Continues the traces of invocations. Thread safe; never raises for what concerns only traces."""

    def __init__(self, sealer: Sealer, tracer: Any = None) -> None:
        self._sealer = sealer
        self._tracer = tracer

    def accepted(self, context: TraceContext | None, facts: Facts, bond: Bond | None = None) -> bytes:
        """What is kept of the trace with an invocation, sealed; empty for none."""
        if self._tracer is not None:
            with self._span("accept", "CONSUMER", context, facts) as span:
                context = _context_of(span)
        return b"" if context is None else self._sealer.seal(context.dumps(), bond)

    @contextmanager
    def attempt(self, kept: bytes, mapped: Mapping[str, str], facts: Facts, bond: Bond | None = None) -> Iterator[Sent]:
        """Around one attempt; `mapped` are the headers that the mapping gives."""
        context = self._opened(kept, bond)
        if self._tracer is None:
            yield Sent({} if context is None else context.headers(mapped))
            return
        with self._span("deliver", "CLIENT", context, facts) as span:
            yield Sent(_context_of(span).headers(mapped), span)

    @contextmanager
    def report(self, kept: bytes, facts: Facts, bond: Bond | None = None) -> Iterator[None]:
        """Around the calls that tell Port of one run."""
        if self._tracer is None:
            yield
            return
        with self._span("report", "CLIENT", self._opened(kept, bond), facts):
            yield

    def _opened(self, kept: bytes, bond: Bond | None) -> TraceContext | None:
        try:
            return TraceContext.loads(self._sealer.open(kept, bond)) if kept else None
        except Unsealable:
            return None

    def _span(self, name: str, kind: str, context: TraceContext | None, facts: Facts) -> Any:
        from opentelemetry.trace import SpanKind

        return self._tracer.start_as_current_span(
            name,
            context=_remote(context),
            kind=SpanKind[kind],
            attributes=dict(facts),
            # A traceback may quote what no collector should see.
            record_exception=False,
        )


@cache
def tracer() -> Any:
    """OpenTelemetry's tracer for this process; None unless a collector is named and the extra `otel` is installed."""
    if not any(os.environ.get(name) for name in ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("tracing.not_installed", remedy="pip install longshore[otel], or unset OTEL_EXPORTER_OTLP_ENDPOINT")
        return None
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say is stronger.
    resource = Resource.create(_named())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(session=_session())))
    atexit.register(_flush, provider)
    log.info("tracing.started")
    return provider.get_tracer("longshore")


def _session() -> requests.Session | None:
    """Trusts as all our clients do; None where OpenTelemetry's variables name whoever makes one, with credentials."""
    if any(name.endswith("_CREDENTIAL_PROVIDER") for name in os.environ):
        return None
    session = requests.Session()
    session.mount("https://", TrustingAdapter(1, proxy_verify=True))
    return session


def _named() -> dict[str, Any]:
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {} if named else {"service.name": "longshore"}


def _flush(provider: Any) -> None:
    """Sends the last spans, but never holds up the end of a process for a collector that is away."""
    thread = threading.Thread(target=provider.shutdown, name="last-spans", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return
    thread.join(FLUSH_S)


def _remote(context: TraceContext | None) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    # An empty one, so that spans of the same thread are no parents.
    return TraceContextTextMapPropagator().extract({} if context is None else context.headers({}), Context())


def _context_of(span: Any) -> TraceContext:
    from opentelemetry.trace import set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span))
    return TraceContext(carrier["traceparent"], carrier.get("tracestate", ""))


def _error() -> Any:
    from opentelemetry.trace import StatusCode

    return StatusCode.ERROR

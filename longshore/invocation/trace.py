"""W3C trace context: which trace an invocation belongs to, from its Kafka headers to the headers of its webhook.

What is malformed is dropped (W3C Trace Context, "Processing Model"): a trace that cannot be continued is no reason to
do anything else differently.
"""

from collections.abc import Iterable, Mapping

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PARENT, STATE = "traceparent", "tracestate"

_MAX_STATE_CHARS = 512
"""Characters of `tracestate` that are passed on, as many as the specification asks for: Redis keeps them."""

_W3C = TraceContextTextMapPropagator()


def from_kafka(headers: Iterable[tuple[str, object]] | None) -> SpanContext | None:
    """The context in a Kafka message's headers, whose names are compared without case; two parents are none.

    None for a malformed parent; a malformed state alone is left out.
    """
    if not headers:
        return None
    values: dict[str, list[str]] = {PARENT: [], STATE: []}
    for name, value in headers:
        if isinstance(name, str) and (key := name.lower()) in values and isinstance(value, str | bytes):
            values[key].append(value if isinstance(value, str) else value.decode("latin-1"))
    return _extract(values) if len(values[PARENT]) == 1 else None


def loads(data: bytes) -> SpanContext | None:
    """What `dumps` wrote; None for anything else."""
    parent, _, state = data.decode("latin-1").partition("\n")
    return _extract({PARENT: [parent], STATE: [state]})


def dumps(context: SpanContext) -> bytes:
    """As bytes to be kept; empty for an invalid context."""
    headers = to_headers(context)
    return f"{headers[PARENT]}\n{headers.get(STATE, '')}".encode("latin-1") if headers else b""


def to_headers(context: SpanContext) -> dict[str, str]:
    """The headers by which a request continues the trace; none for an invalid context."""
    headers: dict[str, str] = {}
    _W3C.inject(headers, as_parent(context))
    return headers


def as_parent(context: SpanContext | None) -> Context:
    """What a span needs to continue the trace, or to begin one for None. Spans of the same thread are no parents."""
    return Context() if context is None else set_span_in_context(NonRecordingSpan(context), Context())


def _extract(values: Mapping[str, list[str]]) -> SpanContext | None:
    if len(",".join(values[STATE])) > _MAX_STATE_CHARS:
        values = {PARENT: values[PARENT]}
    context = get_current_span(_W3C.extract(values, Context())).get_span_context()
    return context if context.is_valid else None

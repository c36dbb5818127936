"""What a trace becomes with the tracer that does nothing, and with one that records."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracer, Tracer

from longshore.delivery.outcome import Outcome, Verdict
from longshore.invocation import trace
from longshore.ledger.seal import Sealer
from longshore.telemetry.tracing import Traces

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FACTS = {"longshore.id": "r_1"}
CONTEXT = trace.from_kafka([("traceparent", PARENT), ("tracestate", "a=1")])


def traces(tracer: Tracer) -> Traces:
    return Traces(Sealer("secret", namespace="test"), tracer)


def test_without_a_collector_a_trace_goes_on_as_it_came() -> None:
    """Nothing is added to it, and none begins."""
    silent = traces(NoOpTracer())

    span = silent.attempt(silent.accepted(CONTEXT, FACTS), {}, FACTS)
    assert {"traceparent": PARENT, "tracestate": "a=1"} == span.headers
    span.ended(Outcome(Verdict.RETRY, True, "http_500", "it failed", 500))
    assert b"" == silent.accepted(None, FACTS)
    assert {} == silent.attempt(b"", {}, FACTS).headers


def test_spans_of_one_invocation_are_one_trace() -> None:
    """The request continues its attempt, the attempt what accepted it."""
    recorded = traces(TracerProvider().get_tracer("test"))
    kept = recorded.accepted(CONTEXT, FACTS)

    first, second = (recorded.attempt(kept, {}, FACTS) for _ in range(2))
    parents = {each.headers["traceparent"] for each in (first, second)}
    assert 2 == len(parents - {PARENT})
    assert {PARENT.split("-")[1]} == {parent.split("-")[1] for parent in parents}
    assert first.span.parent == second.span.parent  # type: ignore[attr-defined]


@pytest.mark.parametrize("tracer", [NoOpTracer(), TracerProvider().get_tracer("test")])
def test_a_mapping_that_continues_its_own_trace_wins(tracer: Tracer) -> None:
    """Whole: our state beside its parent would belong to another trace."""
    either = traces(tracer)

    assert {} == either.attempt(either.accepted(CONTEXT, FACTS), {"TraceParent": "its own"}, FACTS).headers


def test_what_cannot_be_unsealed_begins_a_trace_and_stops_nothing() -> None:
    """It is a trace only."""
    assert {} == traces(NoOpTracer()).attempt(b"sealed by another", {}, FACTS).headers


def test_an_attempt_without_a_trace_is_what_the_no_op_tracer_makes_of_it() -> None:
    """Though it is not asked."""
    attempt = traces(NoOpTracer()).attempt(b"", {}, FACTS)
    assert ({}, NoOpTracer().start_span("deliver", trace.as_parent(None))) == (attempt.headers, attempt.span)

"""Trace context: what is well formed is passed on as it is, everything else is dropped without harm."""

import pytest

from longshore.invocation.trace import TraceContext

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        f"{PARENT}-more",
        f"{PARENT}\r\nX-Evil: 1",
        f"x{PARENT}",
    ],
)
def test_a_malformed_parent_is_dropped(value: str) -> None:
    """Also upper case, ids of zeros, version ff, and what would be a header of its own."""
    assert TraceContext.of_kafka([("traceparent", value.encode())]) is None


def test_a_later_version_may_say_more() -> None:
    """As the specification wants it read."""
    assert TraceContext.read(f"cc{PARENT[2:]}-more") is not None


def test_state_goes_with_its_parent_and_never_without() -> None:
    """Several headers of state are one list."""
    found = TraceContext.of_kafka(
        [("Traceparent", PARENT.encode()), ("tracestate", b"a=1"), ("tracestate", b" b@v=2 ")]
    )

    assert found is not None
    assert {"traceparent": PARENT, "tracestate": "a=1,b@v=2"} == found.headers({})
    assert TraceContext.of_kafka([("tracestate", b"a=1")]) is None


@pytest.mark.parametrize(
    "state", ["no member", "A=1", "a=1,a=2", "a=é", "a=1\r\nX: y", ",".join(["k%d=v"] * 40), "a=" + "v" * 600]
)
def test_a_malformed_state_alone_is_left_out(state: str) -> None:
    """The trace goes on."""
    found = TraceContext.of_kafka([("traceparent", PARENT), ("tracestate", state.encode())])

    assert found is not None
    assert {"traceparent": PARENT} == found.headers({})


def test_two_parents_are_none() -> None:
    """Nobody can tell which of them is meant."""
    assert TraceContext.of_kafka([("traceparent", PARENT), ("TRACEPARENT", PARENT)]) is None


def test_a_mapping_that_continues_its_own_trace_wins() -> None:
    """Whole: our state beside its parent would belong to another trace."""
    assert {} == TraceContext(PARENT, "a=1").headers({"TraceParent": "its own"})


def test_headers_without_values_and_of_other_types_do_no_harm() -> None:
    """Kafka allows both."""
    assert TraceContext.of_kafka([("traceparent", None), ("x", b"\xff")]) is None
    assert TraceContext.of_kafka(None) is None
    assert TraceContext.loads(b"\xff\xfe") is None


def test_what_is_kept_is_what_came() -> None:
    """Through the ledger and back."""
    context = TraceContext(PARENT, "a=1,b=2")

    assert context == TraceContext.loads(context.dumps())

"""Trace context: what is well formed is passed on as it is, everything else is dropped without harm."""

import pytest

from longshore.invocation import trace

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
    assert trace.from_kafka([("traceparent", value.encode())]) is None


def test_a_later_version_may_say_more() -> None:
    """It is read, and goes on, in the version that we know, as the specification wants it."""
    context = trace.from_kafka([("traceparent", f"cc{PARENT[2:]}-more")])

    assert context is not None
    assert {"traceparent": PARENT} == trace.to_headers(context)


def test_state_goes_with_its_parent_and_never_without() -> None:
    """Several headers of state are one list."""
    context = trace.from_kafka([("Traceparent", PARENT.encode()), ("tracestate", b"a=1"), ("tracestate", b" b@v=2 ")])

    assert context is not None
    assert {"traceparent": PARENT, "tracestate": "a=1,b@v=2"} == trace.to_headers(context)
    assert trace.from_kafka([("tracestate", b"a=1")]) is None


@pytest.mark.parametrize(
    "state",
    [
        "no member",
        "A=1",
        "a=1,a=2",
        "a=é",
        "a=1\r\nX: y",
        ",".join(f"k{n}=v" for n in range(33)),
        "a=" + "v" * 300,
        ",".join(f"k{n}={'v' * 100}" for n in range(9)),
    ],
)
def test_a_malformed_state_alone_is_left_out(state: str) -> None:
    """The trace goes on."""
    context = trace.from_kafka([("traceparent", PARENT), ("tracestate", state.encode())])

    assert context is not None
    assert {"traceparent": PARENT} == trace.to_headers(context)


def test_two_parents_are_none() -> None:
    """Nobody can tell which of them is meant."""
    assert trace.from_kafka([("traceparent", PARENT), ("TRACEPARENT", PARENT)]) is None


def test_headers_without_values_and_of_other_types_do_no_harm() -> None:
    """Kafka allows both."""
    assert trace.from_kafka([("traceparent", None), ("x", b"\xff")]) is None
    assert trace.from_kafka(None) is None
    assert trace.loads(b"\xff\xfe") is None


def test_what_is_kept_is_what_came() -> None:
    """Through the ledger and back."""
    context = trace.from_kafka([("traceparent", PARENT), ("tracestate", "a=1,b=2")])

    assert context is not None
    assert f"{PARENT}\na=1,b=2".encode() == trace.dumps(context)
    assert context == trace.loads(trace.dumps(context))

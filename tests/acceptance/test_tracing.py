"""Traces through a whole agent: from Kafka's headers to the webhook's, and as spans to a collector."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.programs import SETTINGS, Program, eventually
from tests.support.whole_agent import start_agent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
SECRET = SETTINGS["PORT_CLIENT_SECRET"]

MAPPING = [
    {"enabled": '.context.runId == "r_mapped"', "headers": {"TraceParent": '"mapped"'}},
    {},
]


class World:
    """Two targets on ports of their own, of which the first redirects `/away` to the second; and a collector."""

    def __init__(self) -> None:
        self.heard: dict[str, Request] = {}
        self.spans: list[Any] = []
        self._server = HttpServer("world")
        self._server.start()
        self.other = f"http://127.0.0.1:{self._server.listen('127.0.0.1', 0, self._answer)}"
        self.target = f"http://127.0.0.1:{self._server.listen('127.0.0.1', 0, self._answer)}"
        self.collector = f"http://127.0.0.1:{self._server.listen('127.0.0.1', 0, self._collect)}"

    def _answer(self, request: Request) -> HttpAnswer:
        self.heard[request.path] = request
        if request.path == "/away":
            return HttpAnswer(307, headers=(("Location", f"{self.other}/arrived"),))
        return HttpAnswer(400 if request.path == "/fails" else 200, b"{}")

    def _collect(self, request: Request) -> HttpAnswer:
        message = ExportTraceServiceRequest()
        message.ParseFromString(request.body)
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return HttpAnswer(200, content_type="application/x-protobuf")

    def trace_of(self, path: str) -> dict[str, str]:
        """The trace headers that the request to `path` had."""
        eventually(lambda: path in self.heard, f"a request to {path}")
        headers = self.heard[path].headers
        return {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}

    def close(self) -> None:
        self._server.stop()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def publish(kafka: EmbeddedKafka, run_id: str, url: str, *headers: tuple[str, bytes]) -> None:
    """A run whose Kafka record has these headers."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    value = as_text(action_run(run_id, url, synchronized=True), SECRET)
    producer.produce("org.runs", value, run_id.encode(), headers=list(headers))
    assert 0 == producer.flush(30)


def agent_in(folder: Path, kafka: EmbeddedKafka, port: FakePort, **environ: str) -> Program:
    return start_agent(folder / "agent", kafka, port, MAPPING, **environ)


def test_a_trace_is_passed_on_as_it_came_and_none_is_made_up(
    world: World, kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """A malformed one is dropped, a mapped header wins, and another host is told nothing."""
    given = (("traceparent", PARENT.encode()), ("tracestate", b"vendor=1"))
    with FakePort() as port:
        agent = agent_in(tmp_path, kafka, port)
        try:
            RecordPublisher(kafka, "org").run(as_text(action_run("r_none", f"{world.target}/none"), SECRET), "r_none")
            publish(kafka, "r_traced", f"{world.target}/traced", *given)
            publish(kafka, "r_bad", f"{world.target}/bad", ("traceparent", b"not-a-trace"), given[1])
            publish(kafka, "r_mapped", f"{world.target}/mapped", *given)
            publish(kafka, "r_away", f"{world.target}/away", *given)
            assert {} == world.trace_of("/none")
            assert {"traceparent": PARENT, "tracestate": "vendor=1"} == world.trace_of("/traced")
            assert {} == world.trace_of("/bad")
            assert {"traceparent": "mapped"} == world.trace_of("/mapped")
            assert PARENT == world.trace_of("/away")["traceparent"]
            assert {} == world.trace_of("/arrived")
        finally:
            agent.close()


def test_spans_reach_the_collector_and_the_webhook_continues_its_attempt(
    world: World, kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """Accepted, delivered, reported: one trace. Without a trace in Kafka a new one begins."""
    with FakePort() as port:
        agent = agent_in(
            tmp_path, kafka, port, OTEL_EXPORTER_OTLP_ENDPOINT=world.collector, OTEL_BSP_SCHEDULE_DELAY="200"
        )
        try:
            publish(kafka, "r_traced", f"{world.target}/traced", ("traceparent", PARENT.encode()))
            publish(kafka, "r_fails", f"{world.target}/fails")
            sent = world.trace_of("/traced")["traceparent"].split("-")
            begun = world.trace_of("/fails")["traceparent"].split("-")
            eventually(lambda: {"accept", "deliver", "report"} <= names(world, TRACE), "all spans of the trace")
            eventually(lambda: {"accept", "deliver", "report"} <= names(world, begun[1]), "all spans of the new trace")
        finally:
            agent.close()

    spans = {span.name: span for span in world.spans if TRACE == span.trace_id.hex()}
    assert TRACE == sent[1]
    assert SPAN == spans["accept"].parent_span_id.hex()
    assert spans["accept"].span_id == spans["deliver"].parent_span_id == spans["report"].parent_span_id
    assert sent[2] == spans["deliver"].span_id.hex()
    [failed] = [span for span in world.spans if ("deliver", begun[1]) == (span.name, span.trace_id.hex())]
    told = {each.key: each.value for each in failed.attributes}
    assert (400, "http_400") == (
        told["http.response.status_code"].int_value,
        told["longshore.outcome"].string_value,
    )
    assert 2 == failed.status.code
    assert SECRET not in str(world.spans)


def names(world: World, trace: str) -> set[str]:
    return {span.name for span in world.spans if trace == span.trace_id.hex()}


@pytest.mark.parametrize("silent", [False, True])
def test_a_collector_that_is_away_costs_spans_and_nothing_else(
    world: World, kafka: EmbeddedKafka, tmp_path: Path, silent: bool
) -> None:
    """Neither a delivery nor the end of the agent waits for it, be it gone or mute."""
    with socket.create_server(("127.0.0.1", 0)) as mute, FakePort() as port:
        address = mute.getsockname()[1]
        if not silent:
            mute.close()
        agent = agent_in(
            tmp_path, kafka, port,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{address}", OTEL_BSP_SCHEDULE_DELAY="100",
        )  # fmt: skip
        try:
            publish(kafka, "r_1", f"{world.target}/one")
            world.trace_of("/one")
            eventually(lambda: "r_1" in port.runs and port.runs["r_1"].ended, "the end of the run at Port")
            stopped = threading.Timer(60, agent.close)
            stopped.start()
            assert 0 == agent.stop()
            stopped.cancel()
        finally:
            agent.close()

"""The pages for probes, over real sockets, while others are slow on purpose."""

import http.client
import socket
import threading
from collections.abc import Iterable, Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from longshore.telemetry import http_server
from longshore.telemetry.health import CheckResult, Health
from longshore.telemetry.http_server import MAX_REQUESTS, TelemetryServer

PATIENCE_S = 60


class Large(Collector):
    """More than sockets hold, after `may_go`."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.may_go.set()

    def collect(self) -> Iterable[Metric]:
        """Megabytes."""
        self.may_go.wait(PATIENCE_S)
        family = GaugeMetricFamily("large", "x" * 8_000_000)
        family.add_metric([], 1)
        yield family


@pytest.fixture
def large() -> Large:
    return Large()


@pytest.fixture
def address(large: Large) -> Iterator[tuple[str, int]]:
    health = Health()
    health.alive_if("loop", lambda: CheckResult(True, "it turns"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pages = TelemetryServer.at_port("127.0.0.1", port, large, health)
    pages.start()
    yield "127.0.0.1", port
    large.may_go.set()
    pages.stop()


def probe(address: tuple[str, int]) -> int:
    """The status of /livez."""
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
    connection.request("GET", "/livez")
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("sent", [b"", b"GET /liv", b"GET /metrics HTTP/1.1\r\n\r\n"])
def test_a_probe_gets_through_many_slow_clients(address: tuple[str, int], sent: bytes) -> None:
    """Silent ones, ones that stop in a header, and ones that read no answer."""
    held = [socket.create_connection(address, timeout=PATIENCE_S) for _ in range(2 * MAX_REQUESTS)]
    try:
        for each in held:
            each.sendall(sent)
        assert [200] * 3 == [probe(address) for _ in range(3)]
    finally:
        for each in held:
            each.close()


def test_a_probe_gets_through_when_only_some_notice_that_they_were_left(address: tuple[str, int], large: Large) -> None:
    """A page that is still made does not end early; others do."""
    large.may_go.clear()
    held = [socket.create_connection(address, timeout=PATIENCE_S) for _ in range(MAX_REQUESTS)]
    try:
        for each in held[: MAX_REQUESTS // 2]:
            each.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert 200 == probe(address)
    finally:
        for each in held:
            each.close()


def test_a_request_ends_at_its_deadline_however_busy_it_looks(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then is no progress."""
    monkeypatch.setattr(http_server, "DEADLINE_S", 0.5)
    with socket.create_connection(address, timeout=0.05) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nX: ")
        said = None
        while said is None:
            try:
                client.sendall(b"x")
                said = client.recv(100)
            except TimeoutError:
                continue
            except ConnectionError:
                said = b""
        assert b"" == said

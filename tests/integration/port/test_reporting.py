"""Reports through calls and client into the fake Port: what people see there in the end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from longshore.invocation.kinds import Kind
from longshore.port import PortClient, Report, build_calls, delivered, failed, received, refused, retrying, unknown
from longshore.sandbox.fake_port import FakePort
from tests.support.fake_outcome import FakeOutcome

RUN, NODE = "r_Q1w2E3r4T5y6U7i8", "wfnr_8sK2mQ4pLx"


@pytest.fixture
def port() -> Iterator[FakePort]:
    """A fake Port that must have nothing to complain about."""
    with FakePort() as fake:
        yield fake
        assert [] == fake.violations


def send(port: FakePort, kind: Kind, run_id: str, reports: list[Report]) -> int:
    """Make the calls for `reports` and return how many they were."""
    client = PortClient(port.url, "id", "secret")
    port_calls = build_calls(kind, run_id, reports)
    for call in port_calls:
        client.call(call.method, call.path, call.json)
    client.close()
    return len(port_calls)


def test_a_synchronous_run_ends_with_its_response(port: FakePort) -> None:
    """State, response and log lines, in three calls."""
    outcome = FakeOutcome.of(200, '{"ok":true}')
    count = send(
        port, Kind.ACTION_RUN, RUN, received(Kind.ACTION_RUN) + delivered(Kind.ACTION_RUN, True, outcome, {}, True)
    )

    run = port.runs[RUN]
    assert (3, "SUCCESS", {"ok": True}, 2) == (count, run.state, run.response, len(run.logs))


def test_a_run_that_was_retried_fails_once_at_the_end(port: FakePort) -> None:
    """Two reports along the way, one FAILURE with the status code."""
    outcome = FakeOutcome.of(503, "busy")
    send(port, Kind.ACTION_RUN, RUN, received(Kind.ACTION_RUN) + retrying(Kind.ACTION_RUN, outcome, 1, 5))
    assert "IN_PROGRESS" == port.runs[RUN].state
    send(port, Kind.ACTION_RUN, RUN, failed(Kind.ACTION_RUN, False, outcome, None, True, attempts=2))

    run = port.runs[RUN]
    assert "FAILURE" == run.state
    assert "503" in str(run.summary)
    assert ["run_log", "run_log", "run_status"] == [name for name, _ in run.changes]


def test_a_node_run_ends_with_its_output(port: FakePort) -> None:
    """Two calls: lines, and the completion with status and data."""
    outcome = FakeOutcome.of(200, "[1]")
    count = send(
        port, Kind.NODE_RUN, NODE, received(Kind.NODE_RUN) + delivered(Kind.NODE_RUN, True, outcome, None, True)
    )

    assert (2, "SUCCESS") == (count, port.runs[NODE].state)
    assert {"response": {"status": 200, "data": [1]}} == port.runs[NODE].response


@pytest.mark.parametrize(("run_id", "kind"), [(RUN, Kind.ACTION_RUN), (NODE, Kind.NODE_RUN)])
@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f680"])
def test_json_of_1_000_000_bytes_stays_json(port: FakePort, run_id: str, kind: Kind, letter: str) -> None:
    """Port takes 1 MiB for the whole body of a call, as bytes and not as escapes."""
    text = json.dumps({"a": [1, letter * ((1_000_000 - 20) // len(letter.encode()))]}, ensure_ascii=False)
    send(port, kind, run_id, delivered(kind, True, FakeOutcome.of(200, text), None, False))

    response = port.runs[run_id].response
    assert json.loads(text) == (response["response"]["data"] if kind is Kind.NODE_RUN else response)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("synchronized", [True, False])
@pytest.mark.parametrize(
    "text", ["", "\udcff \x00", "42", '{"a":1e-7}', "x" * 2_000_000, json.dumps(["é\U0001f680"] * 99_999)]
)
def test_port_takes_whatever_a_target_answers(port: FakePort, kind: Kind, synchronized: bool, text: str) -> None:
    """No response, however odd or large, makes a call that Port refuses."""
    outcome = FakeOutcome.of(500, text)
    values: dict[str, Any] = {"summary": text, "externalRunId": {"deep": [1]}, "link": text}
    endings = [
        failed(kind, synchronized, outcome, values, True),
        unknown(kind, synchronized, outcome, "http_502"),
        refused(kind, "no_url", text or "nothing"),
        delivered(kind, synchronized, outcome, None, True),
    ]
    for number, reports in enumerate(endings):
        prefix = "wfnr_" if kind is Kind.NODE_RUN else "r_"
        send(port, kind, f"{prefix}{number}", received(kind) + reports)


@pytest.mark.parametrize("run_id", ["r/../../organization", "r?x#y", "r%2e", "r \r\n", "r\ud800", "r\U0001f680"])
def test_hostile_run_ids_name_themselves(port: FakePort, run_id: str) -> None:
    """The call that arrives is about that very id."""
    send(port, Kind.ACTION_RUN, run_id, received(Kind.ACTION_RUN))

    name = run_id.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    assert [name] == list(port.runs)

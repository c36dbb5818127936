"""A whole agent that polls: no Kafka, no setting of Kafka, its own Redis; from Port's API to a target and back.

The recorded transcripts go through it too: what Port hears is the same as with Kafka, but for what polling changes.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from longshore.log import events
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request, reserve_closed_port
from longshore.sandbox.publisher import polling_node_run, polling_run
from tests.acceptance.test_transcripts import ATTEMPTS, assert_fits, expected_changes
from tests.support.programs import SETTINGS, Program, eventually
from tests.support.transcripts import SCENARIOS, message_of, run_id_of

POLLED = [scenario for scenario in SCENARIOS if scenario["topic"] == "runs" and scenario["name"] != "gitlab_success"]
"""Change log events and GitLab's pipelines are never polled."""

ENVIRON = {name: value for name, value in SETTINGS.items() if not name.startswith("KAFKA")} | {
    "STREAMER_NAME": "POLLING",
    "POLLING_INTERVAL_SECONDS": "1",
    "COMMIT_DELAY_S": "0.2",
    "WEBHOOK_INVOKER_TIMEOUT": "10",
    "RETRY_BASE_S": "0.05",
    "RETRY_MAX_ATTEMPTS": str(ATTEMPTS),
    "REPORT_DELAY_S": "0.5",
    "WORKER_SLOTS": "20",
}


class Stage:
    """An agent that polls, and a target that answers as recorded."""

    def __init__(self, port: FakePort) -> None:
        self.port = port
        self.origin = ""
        self.requests: dict[str, list[Request]] = {}

    def answer(self, request: Request) -> HttpAnswer:
        """As the scenario says whose name is in the path."""
        name = request.path.removeprefix("/")
        self.requests.setdefault(name, []).append(request)
        recorded = next((each for each in SCENARIOS if each["name"] == name), {}).get("webhook_response")
        return (
            HttpAnswer(recorded["status"], recorded["body"].encode(), recorded["content_type"])
            if recorded
            else (HttpAnswer(200, b"{}"))
        )

    def received(self, name: str) -> Any:
        """The body of the only request under this name."""
        eventually(lambda: self.requests.get(name), f"a request for {name}")
        (request,) = self.requests[name]
        return json.loads(request.body)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    nobody, server = reserve_closed_port("127.0.0.1"), HttpServer("recorded-target")
    with FakePort() as port:
        stage = Stage(port)
        server.start()
        stage.origin = f"http://127.0.0.1:{server.listen('127.0.0.1', 0, stage.answer)}"
        for scenario in POLLED:
            message = message_of(scenario, stage.origin, f"http://127.0.0.1:{nobody.getsockname()[1]}")
            port.offer(polling_node_run(message) if is_node(scenario) else polling_run(message))
        program = Program("run", folder=tmp_path_factory.mktemp("agent"), **ENVIRON, PORT_API_BASE_URL=port.url)
        try:
            program.says(events.WORKER_READY.name)
            yield stage
            assert 0 == program.stop()
        finally:
            program.close()
            server.stop()
            nobody.close()
        assert [] == port.violations
        assert 0 == port.counts.get("kafka_credentials", 0)


def is_node(scenario: dict[str, Any]) -> bool:
    """Whether it is of a workflow node run."""
    return run_id_of(scenario).startswith("wfnr_")


def expected(scenario: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """What Port hears but for logs: as recorded, where polling makes no difference."""
    name, run_id = scenario["name"], run_id_of(scenario)
    if name == "agent_false":  # acknowledged, so nobody else can tell Port
        summary = {"$contains": ["not set to use an agent"]}
        return [("PATCH", f"/v1/actions/runs/{run_id}", {"status": "FAILURE", "summary": summary})]
    if name == "bad_signature_action":  # no signature is asked for, and the run is asynchronous
        return []
    if name == "workflow_node_bad_signature":
        output = {"response": {"status": 200, "data": {"ok": True}}}
        body = {"status": "COMPLETED", "result": "SUCCESS", "output": output}
        return [("PATCH", f"/v1/workflows/nodes/runs/{run_id}", body)]
    return expected_changes(scenario)


@pytest.mark.parametrize("scenario", POLLED, ids=[scenario["name"] for scenario in POLLED])
def test_port_hears_the_recorded_changes(stage: Stage, scenario: dict[str, Any]) -> None:
    """Each run is acknowledged once, and reported as with Kafka."""
    run_id, changes = run_id_of(scenario), expected(scenario)

    def made() -> list[tuple[str, str, Any]]:
        calls = [call for call in stage.port.calls if run_id in call.path.split("/")]
        return [(call.method, call.path, call.body) for call in calls if not call.path.endswith("/logs")]

    eventually(lambda: run_id in stage.port.claims.acknowledged, f"the acknowledgement of {run_id}")
    eventually(lambda: len(made()) >= len(changes), f"{changes}, but {made()}")
    assert [call[:2] for call in changes] == [call[:2] for call in made()]
    for (_, _, body), (_, _, reported) in zip(changes, made(), strict=True):
        assert_fits(body, reported)
    assert 1 == stage.port.claims.acknowledged.count(run_id)


def test_the_receiver_gets_the_body_configured_in_port_and_three_keys(stage: Stage) -> None:
    """Key for key, as the contract has it: the exact text, with the run's id in place of one in the body."""
    payload = {
        "type": "WEBHOOK",
        "url": f"{stage.origin}/shape",
        "agent": True,
        "synchronized": True,
        "method": "PUT",
        "headers": {"X-Team": "core"},
        "body": {"service": "checkout", "port_context": {"runId": "r_shape"}},
    }
    stage.port.offer(
        {"id": "r_shape", "status": "IN_PROGRESS", "claimedUntil": "2026-01-01T00:01:00Z", "payload": payload}
    )
    body = stage.received("shape")

    assert list(body) == ["service", "port_context", "headers", "payload", "context"]
    assert body["headers"] == {"X-Team": "core"}
    method = body["payload"]["action"]["invocationMethod"]
    assert list(method) == ["type", "url", "synchronized", "method", "headers", "body"]
    assert method["body"] == payload["body"]
    assert body["context"] == {"runId": "r_shape"}
    eventually(lambda: "r_shape" in stage.port.runs and stage.port.runs["r_shape"].ended, "its end")
    assert [request.method for request in stage.requests["shape"]] == ["PUT"]


def test_port_is_told_that_runs_are_polled(stage: Stage) -> None:
    """The first call but for the token, as with Kafka."""
    assert "POLLING" == stage.port.streamer
    names = [call.name for call in stage.port.calls if call.name != "token"]
    assert "organization" == names[0]
    claims = {json.dumps(call.body) for call in stage.port.calls if call.name == "claim_runs"}
    assert '{"installationId": "_PORT_EXEC_AGENT", "limit": 20, "invocationMethod": "WEBHOOK"}' in claims

"""The recorded transcripts through a whole agent: Kafka in, a target that answers as recorded, and what Port hears.

The original's calls, with its many logs merged; where a replacement must differ, the better result.
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request, reserve_closed_port
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.programs import SETTINGS, Program, eventually
from tests.support.transcripts import NAMES, SCENARIOS, message_of, run_id_of, value_of

SECRET = SETTINGS["PORT_CLIENT_SECRET"]
ATTEMPTS = 2


class Stage:
    """An agent that has been given every scenario, each under a run id and a target path of its own."""

    def __init__(self, port: FakePort) -> None:
        self.port = port
        self.webhooks: dict[str, list[Request]] = {name: [] for name in NAMES}

    def answer(self, request: Request) -> HttpAnswer:
        """As the scenario says whose name is in the path; GitLab has a path of its own."""
        name = "gitlab_success" if request.path.startswith("/api/v4/") else request.path.removeprefix("/")
        self.webhooks[name].append(request)
        recorded = next(scenario for scenario in SCENARIOS if scenario["name"] == name)["webhook_response"]
        return HttpAnswer(recorded["status"], recorded["body"].encode(), recorded["content_type"])

    def calls(self, run_id: str) -> list[tuple[str, str, Any]]:
        """What Port was told about a run."""
        return [(call.method, call.path, call.body) for call in self.port.calls if run_id in call.path.split("/")]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One agent for all scenarios, which shows too that none disturbs another."""
    folder = tmp_path_factory.mktemp("agent")
    nobody, server = reserve_closed_port("127.0.0.1"), HttpServer("recorded-target")
    with FakePort() as port, EmbeddedKafka({"org.runs": 1, "org.change.log": 1}) as kafka:
        stage = Stage(port)
        server.start()
        origin = f"http://127.0.0.1:{server.listen('127.0.0.1', 0, stage.answer)}"
        environ = SETTINGS | {
            "PORT_API_BASE_URL": port.url,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "WEBHOOK_INVOKER_TIMEOUT": "10",
            "RETRY_BASE_S": "0.05",
            "RETRY_MAX_ATTEMPTS": str(ATTEMPTS),
            "REPORT_DELAY_S": "1",
            "GITLAB_URL": origin,
            "platform_tools_billing": "glptt-TEST",
        }
        publisher = RecordPublisher(kafka, "org")
        for scenario in SCENARIOS:
            message = message_of(scenario, origin, f"http://127.0.0.1:{nobody.getsockname()[1]}")
            publish = publisher.change if scenario["topic"] != "runs" else partial(publisher.run, run_id="one")
            publish(value_of(scenario, message, SECRET))
        last = action_run("r_last", f"{origin}/async_action_success", synchronized=True)
        publisher.run(as_text(last, SECRET), "one")
        program = Program("run", folder=folder, **environ)
        try:
            eventually(lambda: port.runs.get("r_last") and port.runs["r_last"].ended, "the last one is over")
            yield stage
        finally:
            program.close()
            server.stop()
            nobody.close()


@pytest.fixture(params=SCENARIOS, ids=NAMES)
def scenario(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One recorded scenario."""
    found: dict[str, Any] = request.param
    return found


def expected_changes(scenario: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """The recorded calls but for logs, with our id; and those that a replacement must make instead."""
    run_id = run_id_of(scenario)
    if scenario["name"] == "change_log_of_a_run_carries_run_id":
        return []
    if scenario["name"] == "connection_refused":
        summary = {"$contains": ["refused"]}
        return [("PATCH", f"/v1/actions/runs/{run_id}", {"status": "FAILURE", "summary": summary})]
    recorded = scenario["message"].get("context", {}).get("runId", "-")
    made = [call for call in scenario["original_calls"] if isinstance(call, list) and not call[1].endswith("/logs")]
    return [(method, path.replace(recorded, run_id), body) for method, path, body in made]


def test_port_hears_the_recorded_changes_in_order(stage: Stage, scenario: dict[str, Any]) -> None:
    """The same responses and statuses, to the same paths, and not one more."""
    expected, run_id = expected_changes(scenario), run_id_of(scenario)

    def changes() -> list[tuple[str, str, Any]]:
        return [call for call in stage.calls(run_id) if not call[1].endswith("/logs")] if run_id else []

    eventually(lambda: len(changes()) >= len(expected), f"{expected}, but {changes()}")
    assert [call[:2] for call in expected] == [call[:2] for call in changes()]
    for (_, _, body), (_, _, made) in zip(expected, changes(), strict=True):
        assert_fits(body, made)
    assert not stage.port.violations


def test_its_log_has_what_the_recorded_logs_had_and_nobody_else_has_one(stage: Stage, scenario: dict[str, Any]) -> None:
    """The status code of the webhook; nothing for what is refused, skipped or a change log event."""
    run_id = run_id_of(scenario)
    logs = [call for call in scenario["original_calls"] if isinstance(call, list) and call[1].endswith("/logs")]
    if not logs or scenario["topic"] != "runs":
        assert [] == [call for call in (stage.calls(run_id) if run_id else []) if call[1].endswith("/logs")]
        return
    parts = [part for call in logs for part in _log_of(call).get("$contains", ())]
    eventually(lambda: all(part in _texts(stage, run_id) for part in parts), f"{parts} in the log of {run_id}")


def test_the_webhook_was_called_as_often_as_it_should(stage: Stage, scenario: dict[str, Any]) -> None:
    """Once; twice where it may be tried again; never where nothing may be sent."""
    name, sends = scenario["name"], "WEBHOOK POST" in scenario["original_calls"]
    status = scenario["webhook_response"]["status"]
    expected = (ATTEMPTS if status == 500 else 1) if sends else 0

    def received() -> list[Request]:
        return [request for request in stage.webhooks[name] if b"r_last" not in request.body]

    eventually(lambda: len(received()) >= expected, f"{expected} requests for {name}")
    assert expected == len(received())


def _log_of(call: list[Any]) -> dict[str, Any]:
    body = call[2]
    found: dict[str, Any] = body["message"] if "message" in body else body["logs"][0]["message"]
    return found


def _texts(stage: Stage, run_id: str) -> str:
    return json.dumps([body for _, path, body in stage.calls(run_id) if path.endswith("/logs")])


def assert_fits(expected: Any, made: Any) -> None:
    """Equal, but for texts of which only parts are given."""
    if isinstance(expected, dict) and "$contains" in expected:
        assert all(part in made for part in expected["$contains"])
    elif isinstance(expected, dict):
        assert list(expected) == list(made)
        for key, value in expected.items():
            assert_fits(value, made[key])
    else:
        assert expected == made

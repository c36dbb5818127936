"""The recorded transcripts: what the original told Port, which Longshore tells too, in fewer calls."""

import json
from pathlib import Path
from typing import Any

import pytest

from longshore.invocation.kinds import Kind
from longshore.port import Call, Report, build_calls, decode_report, delivered, encode_report, failed, received, refused
from tests.support.fake_outcome import FakeOutcome

SCENARIOS = json.loads((Path(__file__).parents[2] / "vectors" / "transcripts.json").read_text())["scenarios"]

GITLAB_REPORT = {"link": "https://gitlab.acme.io/platform/tools/billing/-/pipelines/987", "externalRunId": "987"}


@pytest.fixture(params=SCENARIOS, ids=lambda scenario: scenario["name"])
def scenario(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One recorded scenario."""
    parameter = request.param
    assert isinstance(parameter, dict)
    return parameter


def test_port_hears_what_the_original_told_it(scenario: dict[str, Any]) -> None:
    """The same responses and statuses to the same paths in the same order, nothing else but logs of the same run."""
    port_calls = _build_calls(scenario)
    expected = _changes(scenario)

    changes = [(call.method, call.path, call.json) for call in port_calls if not call.path.endswith("/logs")]
    assert len(expected) == len(changes)
    for (method, path, body), (method_here, path_here, body_here) in zip(expected, changes, strict=True):
        assert (method, path) == (method_here, path_here)
        _match(body, body_here)


def test_logs_name_what_the_original_named(scenario: dict[str, Any]) -> None:
    """The status code of the webhook is in the run log; runs that had no logs have none."""
    port_calls = _build_calls(scenario)
    if scenario["name"] == "change_log_of_a_run_carries_run_id":
        assert port_calls == []
        return
    originals = [call for call in scenario["original_calls"] if call[1].endswith("/logs")]
    texts = json.dumps([call.json for call in port_calls if call.path.endswith("/logs")])

    assert {call[1] for call in originals} == {call.path for call in port_calls if call.path.endswith("/logs")}
    for call in originals:
        log = call[2]["message"] if "message" in call[2] else call[2]["logs"][0]["message"]
        assert all(part in texts for part in log.get("$contains", ()))


def test_logs_come_first_and_take_one_call(scenario: dict[str, Any]) -> None:
    """Nothing comes after a terminal status, and the logs of a run that ends at once are merged."""
    paths = [call.path for call in _build_calls(scenario)]

    assert not any(path.endswith("/logs") for path in paths[1:])


def _kind(scenario: dict[str, Any]) -> Kind:
    if scenario["topic"] != "runs":
        return Kind.CHANGE_LOG
    return Kind.NODE_RUN if _run_id(scenario).startswith("wfnr_") else Kind.ACTION_RUN


def _run_id(scenario: dict[str, Any]) -> str:
    return str(scenario["message"]["context"].get("runId", ""))


def _build_calls(scenario: dict[str, Any]) -> list[Call]:
    """The calls, by way of the outbox's bytes."""
    items = [encode_report(report) for report in _reports(scenario)]
    return build_calls(_kind(scenario), _run_id(scenario), [decode_report(data) for data in items])


def _reports(scenario: dict[str, Any]) -> list[Report]:
    kind = _kind(scenario)
    if scenario["name"] == "agent_false":
        return []
    if scenario["signature"] == "bad":
        return refused(kind, "bad_signature")
    method = {} if kind is Kind.CHANGE_LOG else scenario["message"]["payload"]["action"]["invocationMethod"]
    synchronized = bool(method.get("synchronized"))
    if scenario["name"] == "connection_refused":
        outcome = FakeOutcome(cause="no connection to deployer.internal:8080: refused")
        return received(kind) + failed(kind, synchronized, outcome, None, True, attempts=8)
    response = scenario["webhook_response"]
    outcome = FakeOutcome.of(response["status"], response["body"])
    report = GITLAB_REPORT if scenario["name"] == "gitlab_success" else {}
    end = delivered if response["status"] < 400 else failed
    return received(kind) + end(kind, synchronized, outcome, report, True)


def _changes(scenario: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """The calls that change a run, as the original made them or as the replacement must."""
    if scenario["name"] == "change_log_of_a_run_carries_run_id":
        return []
    if scenario["name"] == "connection_refused":
        path = f"/v1/actions/runs/{_run_id(scenario)}"
        return [("PATCH", path, {"status": "FAILURE", "summary": {"$contains": ["refused"]}})]
    port_calls = [call for call in scenario["original_calls"] if isinstance(call, list)]
    return [(method, path, body) for method, path, body in port_calls if not path.endswith("/logs")]


def _match(expected: Any, port_calls: Any) -> None:
    """Equal, but for texts of which only parts are given."""
    if isinstance(expected, dict) and "$contains" in expected:
        assert all(part in port_calls for part in expected["$contains"])
    elif isinstance(expected, dict):
        assert isinstance(port_calls, dict)
        assert list(expected) == list(port_calls)
        for key, value in expected.items():
            _match(value, port_calls[key])
    else:
        assert expected == port_calls

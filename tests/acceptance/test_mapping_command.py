"""`longshore mapping test`: what a mapping makes of a message, before it is given to an agent."""

import json
from pathlib import Path
from typing import Any

import pytest

from longshore.sandbox.publisher import action_run, as_text, change_log_event, node_run
from tests.support.warm import longshore

SECRET = "demo-client-secret-0123456789-abcdefghijklmnop"
HUNTER2 = "AAECAwQFBgcICQoLDA0ODyJUv1VXShP86elaqC562siMhRDbl7ja"
URL = "http://deployer.internal:8080/hooks/port"


def tried(
    folder: Path, mapping: Any, message: Any, response: Any = None, /, **environ: str
) -> tuple[int, dict[str, Any], str]:
    """Exit code, what it says as JSON, and its words."""
    for name, content in {"mapping.json": mapping, "message.json": message, "response.json": response}.items():
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / name).write_bytes(text)
    files = ["--file", "mapping.json", "--message", "message.json"]
    if response is not None:
        files += ["--response", "response.json"]
    done = longshore("mapping", "test", *files, "--json", folder=folder, **environ)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def test_a_raw_kafka_value_gives_the_request_and_the_calls(tmp_path: Path) -> None:
    """Signature checked, then what the agent would send and report, call by call."""
    body = {"env": ".payload.properties.env"}
    mapping = [{"body": body, "query": {"a": "true"}, "report": {"link": ".response.json.u"}}]
    raw = as_text(action_run("r_1", URL, synchronized=True), SECRET)
    code, found, _ = tried(tmp_path, mapping, raw, {"u": "https://ci/1"}, PORT_CLIENT_SECRET=SECRET)

    assert 0 == code
    assert ("valid", 0, "action_run") == (found["signature"], found["entry"], found["kind"])
    assert ("POST", f"{URL}?a=True") == (found["request"]["method"], found["request"]["url"])
    assert '{"env":"staging"}' == found["request"]["body"]
    assert found["request"]["headers"]["X-Port-Signature"].startswith("v1,")
    assert {"link": "https://ci/1"} == found["report"]
    assert ["/logs", "/response", ""] == [call["path"].removeprefix("/v1/actions/runs/r_1") for call in found["calls"]]
    assert {"status": "SUCCESS", "link": "https://ci/1"} == found["calls"][-1]["json"]


def test_a_verified_message_needs_no_secret(tmp_path: Path) -> None:
    """It says that the signature is not the real one."""
    code, found, words = tried(tmp_path, [{}], action_run("r_1", URL))

    assert (0, "none") == (code, found["signature"])
    assert "PORT_CLIENT_SECRET is not set" in words


def test_what_is_decrypted_is_masked_everywhere(tmp_path: Path) -> None:
    """Also where the target sends it back, or the report copies it."""
    message = action_run("r_1", URL, synchronized=True, properties={"pw": HUNTER2, "broken": HUNTER2[:-4] + "AAAA"})
    paths = ["payload.properties.pw", "payload.properties.broken"]
    mapping = [
        {"fieldsToDecryptPaths": paths, "headers": {"X-Pw": ".payload.properties.pw"},
         "report": {"summary": '"pw is " + .body.payload.properties.pw'}}
    ]  # fmt: skip
    code, found, words = tried(tmp_path, mapping, message, {"echo": "hunter2"}, PORT_CLIENT_SECRET=SECRET)

    assert 0 == code
    assert "hunter2" not in json.dumps(found) + words
    assert "***" == found["request"]["headers"]["X-Pw"]
    assert "pw is ***" == found["report"]["summary"]
    assert ["payload.properties.broken: cannot be decrypted, is sent as it came"] == found["notes"]
    assert HUNTER2[:-4] + "AAAA" in found["request"]["body"]


@pytest.mark.parametrize(
    ("mapping", "code", "words"),
    [
        ([{"enabled": False}], 3, "no mapping is enabled for it"),
        ([{"url": "null"}], 1, "the mapping gives no URL"),
        ([{"body": "def f: f; f"}], 1, "mapping 0, body did not end"),
        ([{"headers": {"X-A": '"a\\r\\nb"'}}], 1, "X-A"),
        ({}, 78, "not a list of mappings"),
        ([{}, {"query": {"a": None}, "enabled": []}], 78, "mapping 1, query 'a'"),
    ],
)
def test_exit_codes_tell_what_would_happen(tmp_path: Path, mapping: Any, code: int, words: str) -> None:
    """Words on standard error name the entry and the key."""
    found, _, said = tried(tmp_path, mapping, action_run("r_1", URL))

    assert code == found
    assert words in said


def test_what_is_not_for_the_agent_and_what_is_no_message(tmp_path: Path) -> None:
    """Left alone; wrong usage."""
    assert 3 == tried(tmp_path, [{}], action_run("r_1", URL, agent=False))[0]
    assert 2 == tried(tmp_path, [{}], b"[]")[0]
    assert 2 == tried(tmp_path, [{}], b"{")[0]


def test_an_answer_with_a_status(tmp_path: Path) -> None:
    """A failure, as Port would see it after the last attempt; a node run has no report."""
    answer = {"status": 503, "body": "busy", "content_type": "text/plain"}
    _, action, words = tried(tmp_path, [{}], action_run("r_1", URL), answer)
    _, node, _ = tried(tmp_path, [{"report": {"link": "1"}}], node_run("wfnr_1", URL), answer)
    _, event, _ = tried(tmp_path, [{}], change_log_event(URL, "checkout"), answer)

    assert "FAILURE" == action["calls"][-1]["json"]["status"]
    assert "503: busy" in action["calls"][-1]["json"]["summary"]
    assert "up to 8 times" in words
    assert {"status": "COMPLETED", "result": "FAILED"} == node["calls"][-1]["json"]
    assert node["report"] is None
    assert [] == event["calls"]


def test_an_unset_gitlab_token_is_named(tmp_path: Path) -> None:
    """With the built-in mapping, which is in effect without a file."""
    (tmp_path / "m.json").write_text(json.dumps(_gitlab()))
    done = longshore("mapping", "test", "--message", "m.json", folder=tmp_path)

    assert 1 == done.returncode
    assert "environment variable platform_tools_billing is not set" in done.stderr
    done = longshore("mapping", "test", "--message", "m.json", folder=tmp_path, platform_tools_billing="glptt-TEST")
    assert 0 == done.returncode
    assert "/api/v4/projects/platform%2Ftools%2Fbilling/trigger/pipeline" in done.stdout


def _gitlab() -> Any:
    method = {"type": "GITLAB", "agent": True, "groupName": "platform/tools", "projectName": "billing"}
    return {"context": {"runId": "r_1"}, "payload": {"action": {"invocationMethod": method}, "properties": {}}}


def test_likely_mistakes_in_the_file_are_told(tmp_path: Path) -> None:
    """Unknown keys, `.body`, leading dots."""
    mapping = [{"repot": {}, "body": ".body", "fieldsToDecryptPaths": [".payload.properties.pw"]}]
    _, found, words = tried(tmp_path, mapping, action_run("r_1", URL))

    assert 3 == len(found["warnings"])
    assert "did you mean 'report'" in words


def test_a_value_that_looks_badly_pasted_is_named(tmp_path: Path) -> None:
    """Though nothing is called here, its signature and its decryption would be wrong."""
    code, _, words = tried(tmp_path, [{}], action_run("r_1", URL), PORT_CLIENT_SECRET=f"{SECRET}\n")

    assert 0 == code
    assert "PORT_CLIENT_SECRET begins or ends with white space" in words
    assert SECRET not in words


def test_a_report_section_that_never_ends_costs_the_report_alone(tmp_path: Path) -> None:
    """As it would in a worker: the run's log says so."""
    mapping = [{"report": {"link": "def f: f; f"}}]
    code, found, _ = tried(tmp_path, mapping, action_run("r_1", URL, synchronized=True), {"u": 1})

    assert 0 == code
    assert {"status": "SUCCESS"} == found["calls"][-1]["json"]
    assert "mapping 0, report.link did not end" in found["calls"][0]["json"]["message"]

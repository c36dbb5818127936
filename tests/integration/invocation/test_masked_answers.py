"""What a target sends back of the secrets it was sent: hidden from people, but no link, id or status gets a hole."""

import base64
import json
from contextlib import closing
from typing import Any

import pytest

from config.settings import load
from longshore.cli import mapping as command
from longshore.invocation.mapping import Mapping
from longshore.operations.dry_run import DryRunResult, derive_stream, dry_run
from longshore.sandbox.publisher import action_run
from tests.support.encrypted_input import encrypted

SECRET = "demo-client-secret-0123456789-abcdefghijklmnop"
URL = "http://deployer.internal:8080/hooks/port"
REPORT = {"summary": '"said: " + .response.text', "link": ".response.json.link", "externalRunId": ".response.json.id"}


def dry_run_with_response(entry: dict[str, Any], answer: Any, *, url: str = URL, **environ: str) -> DryRunResult:
    """What becomes of an answer to a run, under a mapping of this one entry."""
    settings = load({"PORT_CLIENT_SECRET": SECRET, **environ}, role=None)
    properties = {"password": encrypted("canary-input-1234", SECRET)}
    message = json.dumps(action_run("r_1", url, synchronized=True, properties=properties)).encode()
    content = json.dumps([{"report": REPORT, "fieldsToDecryptPaths": ["payload.properties.password"], **entry}])
    with closing(Mapping(content.encode(), settings.mapping_env())) as mapping:
        response = command._parse_response(json.dumps({"status": 200, "body": answer}).encode())
        return dry_run(message, derive_stream(json.loads(message)), mapping, settings, response)


def output_of(result: DryRunResult) -> str:
    """All that people see of it."""
    return json.dumps([result.request, result.report, result.calls, result.notes])


@pytest.mark.parametrize(
    "entry",
    [
        {"headers": {"Ocp-Apim-Subscription-Key": '"canary-7f2c"'}},
        {"headers": {"x-functions-key": '"canary-7f2c"'}},
        {"headers": {"X-Auth": '"canary-7f2c"'}},
        {"headers": {"Cookie": '"theme=dark; session=canary-7f2c"'}},
        {"query": {"code": '"canary-7f2c"'}},
        {"query": {"sig": '"canary-7f2c"'}},
        {"url": f'"{URL}?code=canary-7f2c"'},
        {"body": {"secretKey": '"canary-7f2c"'}},
        {"body": {"db": {"pwd": '"canary-7f2c"'}}},
        {"body": {"passphrase": '"canary-7f2c"'}},
        {"body": {"jwt": '"canary-7f2c"'}},
        {"body": {"tokens": ['"canary-7f2c"']}},
        {"body": {"variables": [{"key": '"DB_PASSWORD"', "value": '"canary-7f2c"'}]}},
        {"body": {"password": {"value": '"canary-7f2c"'}}},
    ],
)
def test_what_stands_under_the_name_of_a_secret_does_not_come_back(entry: dict[str, Any]) -> None:
    """In headers, query parameters and keys of bodies, as clouds and databases name them."""
    result = dry_run_with_response(entry, {"you": "sent canary-7f2c"})

    assert result.sent
    assert "canary-7f2c" not in output_of(result)
    assert "you" in output_of(result)


@pytest.mark.parametrize(
    ("expression", "name", "value"),
    [
        ("env.CUSTOM", "CUSTOM", "canary-4f1d9c77aa"),
        ('"v1 " + $ENV.CUSTOM', "CUSTOM", "canary-4f1d9c77aa"),
        ('env["custom-name"]', "custom-name", "canary-4f1d9c77aa"),
        ('env["platform" + "_tools"]', "platform_tools", "canary-4f1d9c77aa"),
        ("env.MY_TOKEN", "MY_TOKEN", "abcd-efgh"),
        ("env.MY_TOKEN", "MY_TOKEN", "ab-1"),
        ('"Basic " + ("ann:" + env.CUSTOM | @base64)', "CUSTOM", "canary-4f1d9c77aa"),
    ],
)  # fmt: skip
def test_variables_that_a_mapping_reads_do_not_come_back(expression: str, name: str, value: str) -> None:
    """Wherever they were sent, and by whatever name: not even in a link or an id."""
    for part in ({"headers": {"X-Custom": expression}}, {"body": {"custom": expression}}):
        result = dry_run_with_response(
            part, {"id": value, "link": f"https://ci/{value}", "echo": value}, **{name: value}
        )
        assert result.sent
        assert value not in output_of(result)


def test_what_a_mapping_takes_out_of_a_variable_does_not_come_back() -> None:
    """A pasted newline, or one value of many."""
    for expression, value in {
        'env.CUSTOM | rtrimstr("\n")': "canary-4f1d9c77aa\n",
        "env.CUSTOM | fromjson | .db.password": '{"db": {"password": "canary-4f1d9c77aa"}, "on": true}',
    }.items():
        result = dry_run_with_response({"headers": {"X-Custom": expression}}, {"id": "canary-4f1d9c77aa"}, CUSTOM=value)
        assert result.sent
        assert "canary" not in json.dumps([result.report, result.calls])


def test_a_computed_name_hides_nothing_that_port_sent() -> None:
    """The organization's id stands in the environment, too, and in the message."""
    action = action_run("r_1", URL)["payload"]["action"]["identifier"]
    result = dry_run_with_response(
        {"headers": {"X-Custom": 'env["no" + "ne"] // "x"'}}, {"id": action}, SOME_NAME=action
    )
    assert action == (result.report or {})["externalRunId"]
    assert f"said: {json.dumps({'id': action})}" == (result.report or {})["summary"]


def test_variables_in_a_report_alone_do_not_reach_port() -> None:
    """They were never sent, and yet would be told."""
    result = dry_run_with_response({"report": {"summary": '"by " + env.CUSTOM'}}, {}, CUSTOM="canary-4f1d9c77aa")
    assert {"summary": "by ***"} == result.report


def test_the_address_of_a_webhook_in_a_variable_is_a_secret() -> None:
    """Its path alone, too: that is how servers quote it."""
    hook = "https://hooks.example/services/T01/B02/x9k2m4p7q1"
    result = dry_run_with_response({"url": "env.HOOK"}, "no /services/T01/B02/x9k2m4p7q1 here", HOOK=hook)
    assert "x9k2m4p7q1" not in json.dumps([result.report, result.calls])


def test_the_address_of_a_target_in_a_variable_is_none() -> None:
    """Nor is a part of its host; links lead there."""
    entry = {"url": 'env.GITLAB_URL + "api"', "headers": {"X-Region": "env.REGION"}}
    answer = {"link": "https://ci.eu-west-1.example/pipelines/7", "id": "eu-west-1/7"}
    result = dry_run_with_response(entry, answer, GITLAB_URL="https://ci.eu-west-1.example/", REGION="eu-west-1")

    assert (answer["link"], answer["id"]) == ((result.report or {})["link"], (result.report or {})["externalRunId"])
    assert "https://ci.eu-west-1.example/api" == (result.request or {})["url"]
    assert "eu-west-1" == (result.request or {})["headers"]["X-Region"]


def test_what_only_a_name_announces_leaves_link_id_and_status_alone() -> None:
    """`"secret": "platform"` names a secret and is none; Port has to find the run all the same."""
    answer = {"link": "https://ci/platform-team/1", "id": "platform-team/1"}
    result = dry_run_with_response(
        {"body": {"secret": '"platform-team"'}, "headers": {"X-Token": '"platform-team"'}}, answer
    )
    report = result.report or {}

    assert ("https://ci/platform-team/1", "platform-team/1") == (report["link"], report["externalRunId"])
    assert "platform-team" not in report["summary"]
    assert answer["link"] == result.calls[-1]["json"]["link"]


def test_what_was_decrypted_or_is_a_credential_is_masked_in_a_link_too() -> None:
    """There is no doubt about it."""
    basic = base64.b64encode(b"agent:canary-basic-99").decode()
    answer = {"link": "https://ci/canary-input-1234/canary-basic-99", "id": basic}
    result = dry_run_with_response({"headers": {"Authorization": f'"Basic {basic}"'}}, answer)

    assert ("https://ci/***/***", "***") == ((result.report or {})["link"], (result.report or {})["externalRunId"])


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_credentials_of_a_proxy_that_it_sends_back_are_masked(variable: str) -> None:
    """Plain, as they were written, and as the header that it was sent."""
    header = base64.b64encode(b"agent:canary/pr@xy").decode()
    answer = f"407: Proxy-Authorization: Basic {header} (agent, canary/pr@xy, canary%2Fpr%40xy)"
    result = dry_run_with_response({}, answer, **{variable: "http://agent:canary%2Fpr%40xy@proxy.internal:3128"})

    assert "said: 407: Proxy-Authorization: Basic *** (agent, ***, ***)" == (result.report or {})["summary"]


def test_a_secret_inside_of_longer_base64_is_found() -> None:
    """As a target logs a header that a mapping made of it."""
    for before in ("", "a", "ab"):
        text = base64.b64encode(f"{before}canary-input-1234, and more".encode()).decode()
        result = dry_run_with_response({}, f"log: {text}")
        inner = base64.b64encode(f"{before}canary-input-1234".encode()).decode()
        assert inner[4:-4] not in output_of(result)

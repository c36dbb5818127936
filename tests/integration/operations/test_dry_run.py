"""`longshore mapping test` tells Port's side of an answer as a worker would, to the last corner."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from config.settings import load
from longshore.delivery.outcome import Response
from longshore.invocation.mapping import Mapping
from longshore.operations.dry_run import DryRunResult, derive_stream, dry_run
from longshore.sandbox.publisher import action_run

URL = "http://deployer.internal:8080/hooks/port"


def tried(entry: dict[str, Any], response: Response, **environ: str) -> DryRunResult:
    """What becomes of an asynchronous run whose target answers `response`."""
    settings = load(environ, role=None)
    message = json.dumps(action_run("r_1", URL, synchronized=False)).encode()
    with closing(Mapping(json.dumps([entry]).encode(), settings.mapping_env())) as mapping:
        return dry_run(message, derive_stream(json.loads(message)), mapping, settings, response)


def test_an_unknown_outcome_stays_one_after_its_last_attempt() -> None:
    """A gateway's 504 says nothing of the target: an asynchronous run gets a line in its log, and no FAILURE."""
    result = tried({}, Response(504, {}, ""), UNKNOWN_OUTCOME="retry")

    assert ["/v1/actions/runs/r_1/logs"] == [call["path"] for call in result.calls]
    assert "Outcome unknown" in json.dumps(result.calls)
    assert "up to 8 times" in result.notes[-1]


def test_json_that_is_too_deep_for_the_report_is_told_in_the_log() -> None:
    """What the report section takes from it stays empty."""
    deep = Response(200, {"Content-Type": "application/json"}, f'{{"u":{"[" * 60_000}{"]" * 60_000}}}')
    result = tried({"report": {"link": ".response.json.u"}}, deep)

    assert "nested too deeply" in json.dumps(result.calls)


def test_the_rules_of_success_hold_as_in_a_worker() -> None:
    """An answer that they refuse is told as a failure, and how often it would be sent."""
    entry = {"delivery": {"success": {"condition": ".body.ok", "otherwise": "retry"}}}
    refused, taken = (tried(entry, Response(200, {}, f'{{"ok":{ok}}}')) for ok in ("false", "true"))

    assert "FAILURE" == refused.calls[-1]["json"]["status"]
    assert "up to 8 times" in refused.notes[-1]
    assert "Delivered" in json.dumps(taken.calls[-1])


def test_the_host_that_the_mapping_asks_for_is_shown() -> None:
    """As it goes to the gateway."""
    entry = {"delivery": {"host_header": "app.internal"}, "headers": {"Host": '"app.internal"'}}
    request = tried(entry, Response(200, {}, "")).request or {}

    assert "app.internal" == request["headers"]["Host"]


def test_the_key_of_an_order_is_told() -> None:
    """So that nobody has to publish messages to find out."""
    keyed, keyless = (
        tried({"delivery": {"order": order}}, Response(200, {}, "")) for order in (".payload.properties.env", "null")
    )

    assert ["it is delivered in the order of its key: staging"] == keyed.notes[:1]
    assert ["its order has no key for it"] == keyless.notes[:1]


def test_a_credential_for_the_target_is_announced_and_neither_read_nor_fetched(tmp_path: Path) -> None:
    """By its mapping or the targets file."""
    (tmp_path / "targets.json").write_text('{"deployer.internal": {"credentials": {"bearer_file": "/missing"}}}')
    entry = {"delivery": {"credentials": {"bearer_file": "/missing", "header": "X-Api-Key"}}}
    own = tried(entry, Response(200, {}, ""), TARGETS_FILE=str(tmp_path / "targets.json")).request or {}
    by_host = tried({}, Response(200, {}, ""), TARGETS_FILE=str(tmp_path / "targets.json")).request or {}

    assert ("***", None) == (own["headers"].get("X-Api-Key"), own["headers"].get("Authorization"))
    assert "***" == by_host["headers"]["Authorization"]

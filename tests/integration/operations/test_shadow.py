"""The lines of a message, made with the code of ingest and worker and a real jq."""

import base64
import hmac
import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from config.settings import load
from longshore.delivery.outcome import Response
from longshore.invocation.mapping import Mapping
from longshore.invocation.stream import Stream
from longshore.operations.shadow.answers import Answers
from longshore.operations.shadow.lines import Line, Lines, WebhookRequest
from longshore.operations.shadow.shadow import Shadow
from longshore.sandbox.publisher import action_run, as_text, change_log_event, node_run, text_of
from tests.support.encrypted_input import encrypted

SECRET = "demo-client-secret-0123456789-abcdefghijklmnop"
URL = "http://deployer.internal:8080/hooks/port"
LINES = Lines([SECRET], "shadow")


def lines_of(
    raw: bytes, mapping: Any = None, recorded: Sequence[Line] = (), stream: Stream = Stream.RUNS
) -> list[Line]:
    """The lines of a message."""
    settings = load({"PORT_CLIENT_SECRET": SECRET}, role=None)
    with closing(Mapping(json.dumps([{}] if mapping is None else mapping).encode(), settings.mapping_env())) as loaded:
        shadow = Shadow(loaded, settings, Answers(recorded, LINES), LINES)
        return shadow.process(raw, stream, "t.0.7.1", "t/0/7")


def test_a_run_gives_its_request_its_calls_and_what_became_of_it() -> None:
    webhook, *calls, message = lines_of(as_text(action_run("r_1", URL, synchronized=True), SECRET))

    assert ("webhook", "r_1", "POST") == (webhook["kind"], webhook["invocation"], webhook["method"])
    assert webhook["url"].startswith("http://deployer.internal:8080/~")
    assert ["/v1/actions/runs/r_1/logs", "/v1/actions/runs/r_1"] == [call["path"] for call in calls]
    assert {"assumed"} == {call["answer"] for call in calls}
    assert ("sent", "t/0/7") == (message["result"], message["origin"])


def test_what_is_decrypted_is_nowhere_in_clear() -> None:
    """Not in the body, a header or the URL, nor where the target sends it back."""
    message = action_run("r_1", URL, synchronized=True, properties={"pw": encrypted("hunter2-hunter2", SECRET)})
    entry = {
        "fieldsToDecryptPaths": ["payload.properties.pw"],
        "headers": {"X-Pw": ".payload.properties.pw"},
        "url": '"http://a/" + .payload.properties.pw',
        "body": {"pw": ".payload.properties.pw"},
    }
    request = WebhookRequest("POST", "http://a/hunter2-hunter2", {}, b'{"pw":"hunter2-hunter2"}')
    answer = LINES.seal(Response(200, {}, '{"echo":"hunter2-hunter2"}'))
    lines = lines_of(as_text(message, SECRET), [entry], [LINES.webhook("r_1", request, answer=answer)])

    assert "hunter2" not in json.dumps(lines)
    assert LINES.fingerprints.text("hunter2-hunter2") == lines[0]["body"]["json"]["pw"]
    told = next(line for line in lines if line["kind"] == "port" and line["path"].endswith("/response"))
    assert ("recorded", True) == (told["answer"], told["json"]["response"]["echo"].endswith("*"))


def test_a_form_is_signed_as_it_is_sent_and_shows_nothing_of_its_values() -> None:
    """It has a size and a fingerprint, as it is no JSON whose keys could be compared."""
    message = action_run("r_1", URL, properties={"pw": encrypted("hunter2 & hunter2", SECRET)})
    paths = ["payload.properties.pw"]
    entry = {"fieldsToDecryptPaths": paths, "bodyFormat": "form", "body": {"pw": ".payload.properties.pw"}}
    webhook, *_ = lines_of(as_text(message, SECRET), [entry])

    assert {"size": 22, "bytes": LINES.fingerprints.data(b"pw=hunter2+%26+hunter2")} == webhook["body"]
    assert "v1, valid for the body" == webhook["headers"]["x-port-signature"]
    assert "application/x-www-form-urlencoded" == webhook["headers"]["content-type"]


def test_an_event_is_known_by_its_place_and_says_which_run_it_is_about() -> None:
    event = change_log_event("http://audit.internal/", "checkout")
    webhook, message = lines_of(
        text_of({**event, "context": {**event["context"], "runId": "r_9"}}), stream=Stream.CHANGE_LOG
    )

    assert ["cl.t.0.7.1"] * 2 == [webhook["invocation"], message["invocation"]]
    assert LINES.fingerprints.text("cl.t.0.7.1") == webhook["headers"]["idempotency-key"]
    assert "r_9" == message["about_run"]


def test_a_node_run_that_no_mapping_matches_is_skipped() -> None:
    """The original fails it."""
    (message,) = lines_of(as_text(node_run("wfnr_1", URL), SECRET), [])

    assert ("skipped", "no_mapping") == (message["result"], message["reason"])


def test_an_unsigned_run_with_a_destination_is_refused_and_noted() -> None:
    """The original takes it for signed."""
    (message,) = lines_of(text_of({**action_run("r_1", URL), "changelogDestination": {}}))

    assert ("refused", "bad_signature", True) == tuple(
        message[name] for name in ("result", "reason", "has_destination")
    )


def test_a_number_that_python_prints_otherwise_is_noted() -> None:
    """Signed as it stands, as Port does it."""
    text = text_of(action_run("r_1", URL, properties={"n": "NUMBER"})).replace(b'"NUMBER"', b"0.00001")
    digest = base64.b64encode(hmac.digest(SECRET.encode(), b"1767225600." + text, "sha256")).decode()
    headers = f'"headers":{{"X-Port-Signature":"v1,{digest}","X-Port-Timestamp":1767225600}}'
    raw = text.replace(b'"headers":{}', headers.encode())

    assert ("sent", True) == tuple(lines_of(raw)[-1][name] for name in ("result", "python_reprints"))


def test_a_node_run_that_is_not_signed_is_failed_as_the_original_does() -> None:
    call, message = lines_of(as_text(node_run("wfnr_1", URL), "another"))

    assert {"status": "COMPLETED", "result": "FAILED"} == call["json"]
    assert ("refused", "bad_signature", "none") == (message["result"], message["reason"], call["answer"])


def test_what_is_not_for_the_agent_gives_no_line() -> None:
    assert [] == lines_of(as_text(action_run("r_1", URL, agent=False), SECRET))

"""Fingerprints: the same for the same value, and nothing of the value."""

import json
from pathlib import Path

from longshore.delivery.outcome import Response
from longshore.operations.shadow.fingerprints import Fingerprints
from longshore.operations.shadow.lines import Lines, WebhookRequest

ONE, OTHER = Fingerprints("one client secret"), Fingerprints("another client secret")
BODY = b'{"password": "hunter2", "port": 8443, "deep": [{"on": true, "none": null, "empty": ""}]}'


def test_the_same_value_has_the_same_fingerprint_under_one_secret_only() -> None:
    assert ONE.text("hunter2") == Fingerprints("one client secret").text("hunter2")
    assert ONE.text("hunter2") != ONE.text("hunter3")
    assert ONE.text("hunter2") != OTHER.text("hunter2")


def test_a_body_keeps_its_keys_and_no_value() -> None:
    line = ONE.body(BODY)

    assert line is not None
    assert ["password", "port", "deep"] == list(line["json"])
    assert [{"on": True, "none": None, "empty": ""}] == line["json"]["deep"]
    assert not [secret for secret in ("hunter2", "8443") if secret in json.dumps(line)]


def test_a_number_is_not_the_text_that_looks_like_it() -> None:
    assert ONE.value(8443) != ONE.value("8443")


def test_two_spellings_of_one_json_differ_in_their_bytes_alone() -> None:
    spaced, compact = ONE.body(BODY), ONE.body(json.dumps(json.loads(BODY), separators=(",", ":")).encode())

    assert spaced is not None
    assert compact is not None
    assert spaced["bytes"] != compact["bytes"]
    assert (spaced["compact"], spaced["json"]) == (compact["compact"], compact["json"])


def test_a_url_shows_its_host_and_the_names_of_its_query() -> None:
    shown = ONE.url("https://User:pw1234@Hooks.Example:8443/T000/secret-path?token=abcd&plain#fragment")

    assert "@hooks.example:8443/" in shown
    assert "token=~" in shown
    assert not [
        part
        for part in ("pw1234", "User", "T000", "secret-path", "abcd", "fragment")
        if part in shown.partition("#")[0]
    ]


def test_a_signature_is_told_by_its_form() -> None:
    """Valid for the compact body, whatever the spelling that was sent; a wrong one is seen."""
    lines = Lines(["s3cret-value"], "original")
    from longshore.delivery.signature_headers import build_signature_headers

    compact = json.dumps(json.loads(BODY), separators=(",", ":"))
    headers = build_signature_headers("s3cret-value", compact, 1767225600)
    line = lines.webhook(None, WebhookRequest("POST", "http://a/", headers, BODY))
    wrong = lines.webhook(None, WebhookRequest("POST", "http://a/", headers, b'{"other": 1}'))

    assert "v1, valid for the compact body" == line["headers"]["x-port-signature"]
    assert "not valid" == wrong["headers"]["x-port-signature"]
    assert headers["X-Port-Signature"] not in json.dumps([line, wrong])


def test_an_answer_is_encrypted_and_opens_with_the_same_secret_only() -> None:
    response = Response(500, {"Content-Type": "text/plain"}, "hunter2", True)
    sealed = Lines(["s3cret-value"], "original").seal(response)

    assert "hunter2" not in json.dumps(sealed)
    assert response == Lines(["s3cret-value"], "shadow").open(sealed)
    assert Lines(["another"], "shadow").open(sealed) is None


def test_what_a_text_for_people_names_is_told_without_the_text() -> None:
    body = {"status": "FAILURE", "summary": 'HTTP 500: {"error":"boom"}'}
    line = Lines(["s3cret-value"], "original").port("r_1", "PATCH", "/", body, Response(500, {}, '{"error":"boom"}'))

    assert ["status", "response"] == line["json"]["summary"]["names"]
    assert "FAILURE" == line["json"]["status"]
    assert "boom" not in json.dumps(line)


def test_a_file_may_be_read_by_its_user_only(tmp_path: Path) -> None:
    from longshore.operations.shadow.line_file import LineFile

    with LineFile(tmp_path / "lines.jsonl") as file:
        file.write([{"kind": "webhook"}])

    assert 0o600 == (tmp_path / "lines.jsonl").stat().st_mode & 0o777

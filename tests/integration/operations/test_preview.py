"""The request that a page shows: as a worker would build it, and nothing secret in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.roles import Role
from config.settings import Settings, load
from longshore.operations.preview import RequestPreviews
from tests.support.encrypted_input import encrypted

SECRET = "client-secret-0123456789-abcdefghijklmnop"
ACCEPTED = "other/0"


def settings(folder: Path, mapping: Any) -> Settings:
    file = folder / "mapping.json"
    file.write_text(json.dumps(mapping))
    given = {"PORT_ORG_ID": "org", "KAFKA_CONSUMER_GROUP_ID": "org.agent", "REDIS_URL": "redis://127.0.0.1:1"}
    given |= {"PORT_CLIENT_SECRET": SECRET, "CONTROL_THE_PAYLOAD_CONFIG_PATH": str(file), "JENKINS": "env-token-value"}
    return load(given, Role.FLOWER)


def test_secrets_are_masked_wherever_the_mapping_puts_them(tmp_path: Path) -> None:
    """Decrypted inputs, credentials in headers, in the URL's query and in the body."""
    mapping = [
        {
            "fieldsToDecryptPaths": ["payload.properties.password"],
            "url": '"https://a.example/x?token=url-token-value"',
            "headers": {"Authorization": '"Bearer " + env.JENKINS', "X-Plain": ".payload.properties.password"},
            "query": {"api_key": '"query-key-value"', "page": '"1"'},
            "body": {"all": ".payload.properties", "secret": '"body-secret-value"'},
        }
    ]
    message = {"payload": {"properties": {"password": encrypted("hunter2-hunter2", SECRET), "env": "prod"}}}
    previews = RequestPreviews(settings(tmp_path, mapping))
    try:
        shown = previews.preview_message(json.dumps(message), ACCEPTED)
    finally:
        previews.close()

    text = json.dumps(shown)
    hidden = ("hunter2", "url-token", "env-token", "query-key", "body-secret", SECRET)
    assert [] == [secret for secret in hidden if secret in text]
    assert {"all": {"password": "***", "env": "prod"}, "secret": "***"} == json.loads(shown["body"])
    assert [["api_key", "***"], ["page", "1"]] == shown["query"]
    assert "mapping file has changed" in shown["note"]


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        (
            {"bodyFormat": "form", "body": {"pw": ".payload.properties.password", "j": "{a: env.JENKINS}", "b": "1"}},
            "pw=***&j=%7B%22a%22%3A%22***%22%7D&b=1",
        ),
        (
            {"bodyFormat": "xml", "body": '"<a b=\\"" + (.payload.properties.password | @html) + "\\"/>"'},
            '<a b="***"/>',
        ),
        ({"bodyFormat": "text", "body": '"pw: " + .payload.properties.password'}, "pw: ***"),
    ],
)  # fmt: skip
def test_secrets_are_masked_in_bodies_of_every_format(tmp_path: Path, entry: dict[str, Any], shown: str) -> None:
    """Also where they are percent-encoded, inside JSON inside a form, or escaped as XML has it."""
    entry = {"url": '"https://a.example/"', "fieldsToDecryptPaths": ["payload.properties.password"], **entry}
    message = {"payload": {"properties": {"password": encrypted("hunter2 <'&\"> hunter2", SECRET)}}}
    previews = RequestPreviews(settings(tmp_path, [entry]))
    try:
        assert shown == previews.preview_message(json.dumps(message), ACCEPTED)["body"]
    finally:
        previews.close()


@pytest.mark.parametrize(
    ("mapping", "text", "field", "words"),
    [
        ([{"enabled": False}], "{}", "problem", "no entry of the mapping file is enabled"),
        ([{"url": ".a | error"}], '{"a": "b"}', "url", ""),
        ([{"url": "1"}], "not json", "problem", "mapping 0, url cannot be evaluated over the message"),
        ([{"headers": "def f: f; f"}], "{}", "problem", "mapping 0, headers did not end within its limit of CPU time"),
    ],
)
def test_what_makes_no_request_is_a_problem_in_words(
    tmp_path: Path, mapping: Any, text: str, field: str, words: str
) -> None:
    """Never an error page."""
    previews = RequestPreviews(settings(tmp_path, mapping))
    try:
        shown = previews.preview_message(text, ACCEPTED)
    finally:
        previews.close()

    assert words == shown[field][: len(words) or None]


def test_a_changed_mapping_file_is_shown_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    """What Flower shows is what a worker would send now."""
    previews = RequestPreviews(settings(tmp_path, [{"url": '"http://first/"'}]))
    file = tmp_path / "mapping.json"
    try:
        shown = [previews.preview_message("{}", ACCEPTED)]
        for content in ("{", '[{"url": "\\"http://second/\\""}]'):
            file.write_text(content)
            shown.append(previews.preview_message("{}", ACCEPTED))
    finally:
        previews.close()

    assert ["http://first/", "http://first/", "http://second/"] == [each["url"] for each in shown]
    assert [False, True, False] == ["is refused" in each["note"] for each in shown]

"""What a mapping's report section takes of an answer that repeats secrets, as the worker sends it to Port."""

import json
from typing import Any

import redis

from longshore.ledger.invocations import InvocationReader
from tests.integration.delivery.test_wire import whole
from tests.support.encrypted_input import encrypted
from tests.support.hostile import HostileTarget, Talk, answering
from tests.support.one_attempt import attempt_harness

SECRET = "demo-client-secret-0123456789-abcdefghijklmnop"
JSON = "Content-Type: application/json\r\n"

SECRETIVE = [
    {
        "fieldsToDecryptPaths": ["payload.properties.password"],
        "headers": {"Authorization": '"Basic " + ("agent:canary-basic-99" | @base64)', "X-Api-Key": '"platform-team"'},
        "body": {"secret": '"platform-team"', "password": ".body.payload.properties.password"},
        "report": {
            "link": ".response.json.url",
            "externalRunId": ".response.text[27:]",
            "summary": '"said: " + .response.text[:40]',
        },
    }
]
"""A mapping whose request has certain secrets, and a word that only stands under the names of some."""


def status_after(redis_client: "redis.Redis", answer: dict[str, str]) -> dict[str, Any]:
    """The body of the status that Port gets of a run which was sent secrets and answered so."""
    properties = {"password": encrypted("canary-input-1234", SECRET)}
    with (
        attempt_harness(redis_client, entries=SECRETIVE, PORT_CLIENT_SECRET=SECRET) as stage,
        HostileTarget(answering(whole(json.dumps(answer).encode(), JSON))) as target,
    ):
        id, _ = stage.run(target.url(), properties=properties)
        return stage.pending_reports(id)[-1].body


def test_what_only_a_name_announces_leaves_a_link_whole(redis_client: "redis.Redis") -> None:
    """`"secret": "platform-team"` names a secret and is none; the link has to lead somewhere. As in `mapping test`."""
    status = status_after(redis_client, {"url": "https://ci/platform-team/1"})

    assert "https://ci/platform-team/1" == status["link"]
    assert 'said: {"url":"https://ci/***/1"}' == status["summary"]


def test_certain_secrets_are_in_no_part_of_a_report(redis_client: "redis.Redis") -> None:
    """A decrypted input, a credential, the client secret: not in a link, nor a piece of one."""
    status = status_after(redis_client, {"url": f"https://ci/canary-input-1234/canary-basic-99/{SECRET}/platform-team"})

    assert "https://ci/***/***/***/platform-team" == status["link"]
    assert "canary" not in json.dumps(status)
    assert "put-1234" not in json.dumps(status)


BODIES: list[dict[str, Any]] = [
    {"bodyFormat": "form", "body": {"plain": ".payload.properties.pw", "j": {"deep": ".payload.properties.pw"}}},
    {"bodyFormat": "xml", "body": '"<a b=\\"" + (.payload.properties.pw | @html) + "\\">x</a>"'},
    {"bodyFormat": "text", "body": '"pw: " + .payload.properties.pw'},
]


def test_a_body_of_any_format_that_comes_back_tells_nothing(redis_client: "redis.Redis") -> None:
    """Neither to Port, nor in the history that a dead letter keeps, however the format spells the secret."""
    properties = {"pw": encrypted("canary \"<'&> 1", SECRET)}
    entries = [{"fieldsToDecryptPaths": ["payload.properties.pw"], **entry} for entry in BODIES]

    def echo(talk: Talk) -> None:
        while (request := talk.receive()) is not None:
            talk.send(whole(b"you sent: " + request.body, status="400 Bad Request"))

    with (
        attempt_harness(redis_client, entries=entries, PORT_CLIENT_SECRET=SECRET) as stage,
        HostileTarget(echo) as target,
    ):
        history = InvocationReader(redis_client, stage.ledger.keys, stage.sealer)
        for number in range(len(BODIES)):
            id, _ = stage.run(target.url(), properties=properties, mapping=f"{stage.mapping.digest}/{number}")
            reports = json.dumps([report.body for report in stage.pending_reports(id)])

            assert b"canary" in target.received[number].body
            for text in (json.dumps(history.history(id)), reports):
                assert "you sent: " in text
                assert "***" in text
                assert "canary" not in text

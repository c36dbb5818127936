"""Port's signature over incoming messages: what the vectors say, and nothing that is nearly right."""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from longshore.invocation import json_text
from longshore.invocation.signature import SIGNATURE, TIMESTAMP, has_signature, is_signed_as_text, strip, verify

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "signatures.json").read_text(encoding="utf-8")
)
SECRET: str = VECTORS["secret"]
INCOMING: list[dict[str, Any]] = VECTORS["incoming"]


def signed_message() -> dict[str, Any]:
    """A message with a good signature."""
    message: dict[str, Any] = json.loads(INCOMING[0]["kafka_value"])
    return message


@pytest.mark.parametrize("case", INCOMING, ids=[case["name"] for case in INCOMING])
def test_vector(case: dict[str, Any]) -> None:
    """Accepted or rejected as published, over the published text."""
    message = json_text.loads(case["kafka_value"])

    assert ("accept" == case["expect"]) == verify(message, [SECRET])
    if case["expect"] == "accept":
        assert case["signed_content"] == f"{case['timestamp']}.{json_text.dumps(strip(message), ascii=False)}"


@pytest.mark.parametrize(
    ("method", "headers", "signature"),
    [
        ("WEBHOOK", ',"headers":{}', "v1,ekqzCzuMz29iU56U+5xSNsVzNK57WnoLqBy8iIG0RpE="),
        ("GITLAB", "", "v1,S2hz0aqOcOQR/Tr1Y/rKzNFEKdxDFxjszOWIrW5K8TM="),
    ],
)
def test_worked_example(method: str, headers: str, signature: str) -> None:
    """The two texts and signatures of the wire contract."""
    text = '{"context":{"runId":"r_1"},"payload":{"properties":{"city":"Zürich 🚀"}}' + headers + "}"

    assert has_signature({SIGNATURE: signature, TIMESTAMP: 1767225600}, text, [SECRET]), method


def test_any_of_the_secrets_may_have_signed() -> None:
    """During a rotation both are accepted; without a secret nothing is."""
    assert verify(signed_message(), ["other", SECRET])
    assert not verify(signed_message(), ["other"])
    assert not verify(signed_message(), [])


@pytest.mark.parametrize("headers", [None, [], "text", 5, True, {}, [["X-Port-Signature", "x"]]])
def test_odd_headers_are_rejected(headers: Any) -> None:
    """Whatever stands where the headers should."""
    assert not verify(signed_message() | {"headers": headers}, [SECRET])


@pytest.mark.parametrize("name", ["X-Port-Signature", "X-Port-Timestamp"])
@pytest.mark.parametrize("value", [None, "", 0, 0.0, False, True, [], {}, ["v1"], "\ud800", json_text.Literal("0e5")])
def test_odd_header_values_are_rejected(name: str, value: Any) -> None:
    """Falsy, of another type, or not encodable."""
    message = signed_message()
    message["headers"][name] = value

    assert not verify(message, [SECRET])


def test_stripping_leaves_the_message_alone() -> None:
    """The signature is taken out of a copy; an emptied object and foreign headers stay in it."""
    message = {"a": 1, "headers": {"X-Port-Signature": "s", "X-Port-Timestamp": 1, "X-Team": "core"}, "z": 2}
    before = json.dumps(message)

    assert '{"a": 1, "headers": {"X-Team": "core"}, "z": 2}' == json.dumps(strip(message))
    assert before == json.dumps(message)
    assert {"headers": {}} == strip({"headers": {"X-Port-Signature": "s"}})
    assert {"headers": None} == strip({"headers": None})


def test_the_whole_headers_of_a_gitlab_invocation_go() -> None:
    """With whatever else is in them."""
    method = {"payload": {"action": {"invocationMethod": {"type": "GITLAB"}}}}

    assert method == strip(method | {"headers": {"X-Team": "core"}})


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the standard library, whichever way a message is read, and against every secret."""
    compared: list[bytes] = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(b) or compare(a, b))  # type: ignore[func-returns-value]
    wrong = {"X-Port-Signature": "v1,wrong", "X-Port-Timestamp": "1"}
    message = json.dumps({"headers": wrong}, separators=(",", ":"))

    assert not has_signature(wrong, message, ["one", "two"])
    assert not is_signed_as_text(message.encode(), ["one"])
    assert compared[:2] == [b"v1,wrong"] * 2
    assert len(compared) > 2

"""The sandbox signs as Port does, so that what it shows is what Port's messages would meet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from longshore.invocation import signature
from longshore.sandbox import publisher

SECRET = "demo-client-secret-0123456789-abcdefghijklmnop"
URL = "http://127.0.0.1:1/hooks"


@pytest.mark.parametrize(
    "message",
    [
        publisher.action_run("r_1", URL, properties={"city": "Zürich 🚀", "control": "\x01\n", "share": 0.5}),
        publisher.gitlab_run("r_2", "platform", "billing"),
        publisher.node_run("wfnr_3", URL),
    ],
)
def test_a_signed_message_passes_the_agents_check(message: dict[str, Any]) -> None:
    """Written apart from the verifying code, and agreeing with it."""
    received = json.loads(publisher.as_text(message, SECRET))

    assert signature.verify(received, [SECRET])
    assert not signature.verify(received, ["another secret"])
    assert not signature.verify({**received, "forged": True}, [SECRET])


def test_the_worked_example_of_the_wire_contract() -> None:
    """The signature that the contract prints for this message, secret and time."""
    message = {"context": {"runId": "r_1"}, "payload": {"properties": {"city": "Zürich 🚀"}}, "headers": {}}
    headers = publisher.signed(message, SECRET, at=1767225600)["headers"]

    assert "v1,ekqzCzuMz29iU56U+5xSNsVzNK57WnoLqBy8iIG0RpE=" == headers["X-Port-Signature"]
    assert 1767225600 == headers["X-Port-Timestamp"]


def test_change_log_events_are_not_signed() -> None:
    """Port does not sign them."""
    assert "headers" not in publisher.change_log_event(URL, "checkout")

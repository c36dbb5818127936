"""What is made of the objects of Port's polling API: both shapes key for key, and no object whatever raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation import json_text
from longshore.invocation.classify import Invocation, Refused, classify_message
from longshore.invocation.kinds import Kind
from longshore.invocation.polling_message import SHAPES
from longshore.invocation.stream import Stream

ACTION, NODE = Stream.POLLED_RUNS, Stream.POLLED_NODE_RUNS

RUN = (
    '{"id":"r_P0ll1ng","status":"IN_PROGRESS","pendingExecution":true,"claimedUntil":"2026-01-01T00:01:00Z",'
    '"installationId":"_PORT_EXEC_AGENT","payload":{"type":"WEBHOOK","url":"http://deployer.internal:8080/h","agent":true,'
    '"synchronized":true,"method":"PUT","headers":{"X-Team":"core"},'
    '"body":{"service":"checkout","port_context":{"runId":"r_P0ll1ng"}}}}'
)
"""The action run of the wire contract."""

METHOD = '"type":"WEBHOOK","url":"http://deployer.internal:8080/h","synchronized":true,"method":"PUT","headers":{"X-Team":"core"}'


def classify(raw: str, stream: Stream = ACTION) -> Invocation | Refused:
    result = classify_message(raw.encode(), stream, ["secret"])
    assert isinstance(result, Invocation | Refused)
    return result


def invocation(raw: str, stream: Stream = ACTION) -> Invocation:
    result = classify(raw, stream)
    assert isinstance(result, Invocation), result
    return result


def test_an_action_run_is_its_body_with_three_keys() -> None:
    """In this order, and the configured body is the last key of the invocation method."""
    result = invocation(RUN)
    body = '"service":"checkout","port_context":{"runId":"r_P0ll1ng"}'

    assert (
        f'{{{body},"headers":{{"X-Team":"core"}},"payload":{{"action":{{"invocationMethod":{{{METHOD},'
        f'"body":{{{body}}}}}}}}},"context":{{"runId":"r_P0ll1ng"}}}}'
    ) == result.text
    assert (Kind.ACTION_RUN, "r_P0ll1ng", True, "WEBHOOK") == (
        result.kind,
        result.run_id,
        result.synchronized,
        result.type,
    )


def test_keys_that_the_body_has_already_keep_their_place_and_are_overwritten() -> None:
    """As a configured body that mirrors Port's own message: its run id is Port's, whatever it says."""
    body = {
        "context": {"runId": "r_other", "entity": "checkout"},
        "payload": {"action": {"identifier": "deploy", "invocationMethod": "?"}, "properties": {"a": 1}},
        "headers": {"X-Old": "1"},
    }
    result = invocation(_action(body=body))
    message = json_text.loads(result.text)

    assert ["context", "payload", "headers"] == list(message)
    assert message["context"] == {"runId": "r_1", "entity": "checkout"}
    assert ["action", "properties"] == list(message["payload"])
    assert "deploy" == result.action == message["payload"]["action"]["identifier"]
    assert message["headers"] == {}
    assert message["payload"]["action"]["invocationMethod"]["body"] == body


def test_a_node_run_has_its_config_in_the_context() -> None:
    """Its own body is there, and in the invocation method; defaults stand for what is missing."""
    config = '"type":"WEBHOOK","url":"http://x/h","agent":true,"body":{"a":1e-7}'
    result = invocation(f'{{"identifier":"wfnr_1","status":"IN_PROGRESS","config":{{{config}}}}}', NODE)

    assert (
        '{"headers":{},"payload":{"action":{"invocationMethod":{"type":"WEBHOOK","url":"http://x/h","synchronized":false,'
        '"method":"POST","headers":{},"body":{"a":1e-7}}}},"context":{"runId":"wfnr_1","nodeConfig":{' + config + "}}}"
    ) == result.text
    assert (Kind.NODE_RUN, "wfnr_1", False) == (result.kind, result.run_id, result.synchronized)


def test_defaults_stand_for_what_an_action_run_lacks() -> None:
    """Null counts as missing."""
    for more in ({}, {"synchronized": None, "method": None, "headers": None}):
        method = json_text.loads(invocation(_action(**more)).text)["payload"]["action"]["invocationMethod"]
        assert method == {
            "type": "WEBHOOK",
            "url": "http://x/h",
            "synchronized": False,
            "method": "POST",
            "headers": {},
            "body": {},
        }


@pytest.mark.parametrize("name", ["type", "url", "agent", "body"])
def test_an_action_run_without_what_it_needs_is_refused_by_name(name: str) -> None:
    """Absent or null; Port hears which."""
    result = classify(_action(**{name: None}))

    assert isinstance(result, Refused)
    assert ("incomplete", "r_1", Kind.ACTION_RUN) == (result.reason, result.run_id, result.kind)
    assert name in result.cause


@pytest.mark.parametrize("key", ["payload", "context"])
def test_a_body_that_cannot_take_the_keys_is_refused(key: str) -> None:
    """The original raised."""
    result = classify(_action(body={key: "a text"}))

    assert isinstance(result, Refused)
    assert "incomplete" == result.reason
    assert key in result.cause


@pytest.mark.parametrize("agent", [False, 0, ""])
def test_what_is_not_for_an_agent_is_refused_with_its_message(agent: Any) -> None:
    """Who acknowledged it must report it; and a requeue after a correction has something to send."""
    result = classify(_action(agent=agent))

    assert isinstance(result, Refused)
    assert ("not_for_agent", "r_1") == (result.reason, result.run_id)
    assert '"runId":"r_1"' in result.text


@pytest.mark.parametrize("config", ["", ',"config":null', ',"config":{}', ',"config":{"url":"http://x"}'])
def test_a_node_run_without_config_is_not_for_an_agent(config: str) -> None:
    """All of it is optional."""
    result = classify(f'{{"identifier":"wfnr_1"{config}}}', NODE)

    assert isinstance(result, Refused)
    assert ("not_for_agent", Kind.NODE_RUN, "wfnr_1") == (result.reason, result.kind, result.run_id)


def test_the_kind_is_that_of_the_list_it_came_in() -> None:
    """Never what an id looks like."""
    assert Kind.ACTION_RUN is invocation(_action().replace("r_1", "wfnr_1")).kind
    assert Kind.NODE_RUN is invocation('{"identifier":"r_1","config":{"agent":true}}', NODE).kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PART = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("type", "url", "agent", "synchronized", "method", "headers", "body"), JSON)
)


@given(
    stream=st.sampled_from([ACTION, NODE]),
    run=st.fixed_dictionaries(
        {}, optional={"id": JSON, "identifier": JSON, "payload": PART | JSON, "config": PART | JSON}
    ),
)
def test_no_object_raises_and_none_is_skipped(stream: Stream, run: Any) -> None:
    """Its id is the one that is acknowledged, whatever else is in it."""
    result = classify_message(json_text.dumps(run, ascii=False).encode(), stream, [])

    assert isinstance(result, Invocation | Refused)
    assert result.run_id == SHAPES[stream].id_of(run)
    assert not isinstance(result, Refused) or result.reason in ("incomplete", "not_for_agent")


@given(raw=st.binary(max_size=40) | st.none())
def test_no_bytes_raise(raw: bytes | None) -> None:
    """An object that could not even be printed comes as none at all."""
    assert isinstance(classify_message(raw, ACTION, []), Refused)


def _action(**payload: Any) -> str:
    whole = {"type": "WEBHOOK", "url": "http://x/h", "agent": True, "body": {}} | payload
    return json_text.dumps({"id": "r_1", "status": "IN_PROGRESS", "payload": whole}, ascii=False)

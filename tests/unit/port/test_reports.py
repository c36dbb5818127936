"""What Port hears of each thing that can happen to a run."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery.outcome import Outcome, Response, Verdict
from longshore.invocation import json_text
from longshore.invocation.kinds import Kind
from longshore.port import (
    BadReport,
    Report,
    ReportKind,
    decode_report,
    delivered,
    encode_report,
    failed,
    received,
    refused,
    retrying,
    unknown,
)
from longshore.port.size_limits import json_size
from tests.support.fake_outcome import FakeOutcome, FakeResponse

ACTION, NODE, CHANGE = Kind.ACTION_RUN, Kind.NODE_RUN, Kind.CHANGE_LOG

REFUSED = FakeOutcome(cause="no connection to deployer:8080")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def types(reports: list[Report]) -> str:
    """The types in order, one character each."""
    return "".join(report.kind for report in reports)


def text_of(report: Report) -> str:
    return str(report.body["message"])


def test_an_asynchronous_success_leaves_the_status_to_the_backend() -> None:
    """The run goes on until its backend reports; we only log."""
    assert "L" == types(delivered(ACTION, False, FakeOutcome.of(200, "{}"), {}, True))


def test_a_mapped_link_is_patched_without_ending_the_run() -> None:
    """The report section of a mapping speaks for an asynchronous run too."""
    reports = delivered(ACTION, False, FakeOutcome.of(200), {"link": "https://ci/1"}, True)

    assert "LP" == types(reports)
    assert {"link": "https://ci/1"} == reports[-1].body


def test_the_response_comes_before_the_terminal_status() -> None:
    """A finished run takes no response any more."""
    assert "LRS" == types(delivered(ACTION, True, FakeOutcome.of(200, '{"ok":true}'), None, True))
    assert "LRS" == types(failed(ACTION, True, FakeOutcome.of(500, '{"ok":false}'), None, True))


@pytest.mark.parametrize("text", ["", "[]", "{}", "0", "false", "null", '""', "0.0"])
def test_falsy_responses_are_not_reported(text: str) -> None:
    """Nothing to show is not shown; a node run has an empty object instead."""
    assert "LS" == types(delivered(ACTION, True, FakeOutcome.of(200, text), None, True))
    assert {"status": 200, "data": {}} == delivered(NODE, True, FakeOutcome.of(200, text), None, True)[-1].body[
        "output"
    ]["response"]


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ('{"a":[1]}', {"a": [1]}),
        ("done", "done"),
        ('"done"', "done"),
        ("42", "42"),
        ("true", "true"),
        ("NaN", "NaN"),
        ("[1e999]", "[1e999]"),
        ("[" * 100_000, ("[" * 100_000)),
        ("1" * 5_000, "1" * 5_000),
    ],
)
def test_responses_go_in_types_that_port_takes(text: str, response: Any) -> None:
    """JSON where it is an object, a list or a text; everything else as the text it was."""
    reports = delivered(ACTION, True, FakeOutcome.of(200, text), None, True)

    assert [response] == [report.body["response"] for report in reports if report.kind is ReportKind.RESPONSE]


def test_a_mapping_overrides_the_status_with_null() -> None:
    """`"status": ".nope"` removes a FAILURE, so that the rest no longer ends the run."""
    reports = failed(ACTION, False, FakeOutcome.of(500), {"status": None}, True)

    assert "LP" == types(reports)
    assert ["summary"] == list(reports[-1].body)


def test_numbers_become_texts_where_port_wants_texts() -> None:
    """Mappings give the id of a pipeline as a number; Port refuses it, and with it the whole PATCH."""
    report = {"externalRunId": 42, "summary": json_text.loads("1e-7"), "link": ["https://a", "https://b"]}

    assert {"link": ["https://a", "https://b"], "summary": "1e-7", "externalRunId": "42"} == delivered(
        ACTION, False, FakeOutcome.of(200), report, True
    )[-1].body


def test_details_are_told_only_when_asked_for() -> None:
    """The summary names the status always, the response's text only with detailed logging."""
    outcome = FakeOutcome.of(500, '{"error":"boom"}')

    assert (
        'The target answered HTTP 500: {"error":"boom"}'
        == failed(ACTION, False, outcome, None, True)[-1].body["summary"]
    )
    assert "boom" not in str(failed(ACTION, False, outcome, None, False))


def test_a_target_that_never_answered_ends_the_run_with_the_reason() -> None:
    """Nobody else would ever end it: FAILURE for a synchronous and an asynchronous run, FAILED for a node."""
    for synchronized in (True, False):
        last = failed(ACTION, synchronized, REFUSED, None, True)[-1]
        assert ("S", "FAILURE") == (last.kind, last.body["status"])
        assert "deployer:8080" in last.body["summary"]
        assert {"status": "COMPLETED", "result": "FAILED"} == failed(NODE, synchronized, REFUSED, None, True)[-1].body


def test_a_retry_is_only_logged() -> None:
    """FAILURE comes after the last attempt and not before."""
    assert "L" == types(retrying(ACTION, FakeOutcome.of(503), 2, 12.4))
    assert "Attempt 2" in retrying(ACTION, FakeOutcome.of(503), 2, 12.4)[0].body["message"]
    assert "12 s" in retrying(ACTION, FakeOutcome.of(503), 2, 12.4)[0].body["message"]
    assert "WARN" == retrying(NODE, FakeOutcome.of(503), 2, 600)[0].body["level"]


def test_an_unknown_outcome_ends_only_what_nothing_else_would_end() -> None:
    """An asynchronous backend may be at work, and its own report must not be overruled."""
    silent = FakeOutcome(cause="no answer within 30 s")

    assert "LS" == types(unknown(ACTION, True, silent, "read_timeout"))
    assert "it may have run" in unknown(ACTION, True, silent, "read_timeout")[-1].body["summary"]
    assert "L" == types(unknown(ACTION, False, silent, "read_timeout"))
    assert "NC" == types(unknown(NODE, True, silent, "read_timeout"))
    assert "N" == types(unknown(NODE, False, None, "worker_lost"))
    assert "the worker was lost" in unknown(ACTION, True, None, "worker_lost")[-1].body["summary"]
    assert "LRS" == types(unknown(ACTION, True, FakeOutcome.of(502, "bad gateway"), "http_502"))


def test_what_is_not_proven_to_be_ports_changes_no_action_run() -> None:
    """A forger on the topic could otherwise end runs by their id; node runs fail as with the original agent."""
    assert [] == refused(ACTION, "bad_signature")
    assert [] == refused(ACTION, "malformed") == refused(NODE, "malformed")
    assert "C" == types(refused(NODE, "bad_signature"))


def test_a_mapping_that_gives_no_request_ends_the_run() -> None:
    """It can never run, so Port hears why."""
    assert "LS" == types(refused(ACTION, "no_url", "the mapping gave no url"))
    assert "the mapping gave no url." in refused(ACTION, "no_url", "the mapping gave no url")[-1].body["summary"]
    assert "NC" == types(refused(NODE, "no_url"))


def test_port_hears_nothing_of_change_log_events() -> None:
    """An event may carry the id of a run it tells of; that run is none of our business."""
    outcome = FakeOutcome.of(500, "boom")
    everything = [
        received(CHANGE),
        retrying(CHANGE, outcome, 1, 5),
        delivered(CHANGE, True, outcome, {"status": "SUCCESS"}, True),
        failed(CHANGE, True, outcome, {"status": "FAILURE"}, True),
        unknown(CHANGE, True, outcome, "deadline"),
        refused(CHANGE, "no_url"),
    ]

    assert [[]] * 6 == everything


def test_the_delivery_rooms_outcome_is_what_reports_are_made_from() -> None:
    """The two rooms do not know each other; this holds them together."""
    outcome = Outcome(Verdict.DELIVERED, True, "delivered", "", status=200, response=Response(200, {}, "[1]"))

    assert "LRS" == types(delivered(ACTION, True, outcome, None, False))


def test_long_texts_are_cut_where_port_would_refuse_them() -> None:
    """A body over 1 MiB is answered with 413, which would lose the report."""
    outcome = FakeOutcome.of(500, '{"x":"' + "\U0001f680" * 500_000 + '"}')
    reports = failed(ACTION, True, outcome, {"link": ["x" * 200_000]}, True)

    assert "LLRS" == types(reports)
    assert "Port takes no more than 1 MiB" in reports[1].body["message"]
    assert all(json_size(report.body) <= 1_048_576 for report in reports)
    assert all(report.body.get("link") is None for report in reports)
    assert reports[2].body["response"].endswith("(cut)")


def test_the_log_says_what_of_an_answer_is_missing() -> None:
    """Cut while it was read, so that it is no JSON any more and the report section found nothing in it."""
    outcome = FakeOutcome(200, "", FakeResponse('{"url":"https://ci/1","x":"yyyy', truncated=True))

    for kind, report in ((ACTION, {"link": None}), (ACTION, None), (NODE, None)):
        lines = [text_of(each) for each in delivered(kind, True, outcome, report, False) if each.kind in "LN"]
        assert "31 characters" in lines[1]
        assert "RESPONSE_MAX_BYTES" in lines[1]
        assert ("report section" in lines[1]) == (report is not None)
    assert "L" == types(delivered(ACTION, False, outcome, None, False))  # nothing of the answer is wanted


def test_the_log_says_that_another_request_was_answered() -> None:
    """A sign-in page is no delivery that anybody wanted."""
    outcome = FakeOutcome(200, "", FakeResponse("<html>"), redirected="redirected to a:80, asked with GET")

    for kind in (ACTION, NODE):
        for messages in (delivered(kind, False, outcome, None, False), failed(kind, False, outcome, None, True)):
            assert "redirected to a:80, asked with GET" in text_of(messages[0])


@given(text=JSON, synchronized=st.booleans(), kind=st.sampled_from(Kind))
def test_reports_survive_the_outbox(text: Any, synchronized: bool, kind: Kind) -> None:
    """Bytes in, the same report out, lone surrogates and all."""
    body = json_text.dumps(text, ascii=True)
    for report in failed(kind, synchronized, FakeOutcome.of(500, body), {"summary": text, "link": text}, True):
        assert report == decode_report(encode_report(report))


@given(
    data=st.binary(max_size=40) | st.sampled_from([b"[]", b'["L",[]]', b'["Q",{}]', b"[[],{}]", b"{}", b"[" * 99_999])
)
def test_damaged_bytes_are_refused_as_such(data: bytes) -> None:
    """The outbox can then drop them instead of dying of them."""
    with pytest.raises(BadReport):
        decode_report(data)

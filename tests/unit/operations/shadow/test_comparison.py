"""What the comparison finds, and which row of the list of differences explains it."""

import json
from typing import Any

import pytest

from longshore.delivery.outcome import Response
from longshore.operations.shadow.answers import BadFile, order_files
from longshore.operations.shadow.comparison import Comparison, compare
from longshore.operations.shadow.explanations import ROWS
from longshore.operations.shadow.lines import Line, Lines, WebhookRequest

ORIGINAL, SHADOW = Lines(["s3cret-value"], "original"), Lines(["s3cret-value"], "shadow")
RUN = "/v1/actions/runs/r_1"
OK, BAD = Response(200, {}, "fine"), Response(500, {}, "all is lost")


def webhook(
    lines: Lines, invocation: str | None = "r_1", body: Any = "same", url: str = "http://a/", **facts: Any
) -> Line:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lines.webhook(invocation, WebhookRequest("POST", url, facts.pop("headers", {}), data), **facts)


def answered(response: Response, **facts: Any) -> Line:
    """A webhook of the original with its answer."""
    return webhook(ORIGINAL, answer=ORIGINAL.seal(response), **facts)


def told(lines: Lines, path: str, body: Any, response: Response | None = OK, method: str = "PATCH") -> Line:
    answer = {"answer": "recorded"} if lines is SHADOW else {}
    return lines.port(next(part for part in path.split("/") if "_" in part), method, path, body, response, **answer)


def log(lines: Lines, text: str, response: Response | None = OK) -> Line:
    return told(lines, f"{RUN}/logs", {"message": text}, response, "POST")


def message(**facts: Any) -> Line:
    return SHADOW.message(facts.pop("invocation", "r_1"), **{"origin": "t/0/0", "result": "sent", **facts})


def rows(result: Comparison) -> list[tuple[str, str | None]]:
    """Where, and the row that explains it."""
    return [(each.where, each.row) for each in result.differences]


def test_equal_requests_and_reports_are_alike() -> None:
    both = [(webhook(lines), log(lines, "HTTP 200")) for lines in (ORIGINAL, SHADOW)]
    result = compare(*both)

    assert (1, 1, []) == (result.total, result.alike, result.differences)


@pytest.mark.parametrize(
    ("facts", "where"),
    [
        ({"body": {"a": 2, "b": 1}}, "body.a"),
        ({"body": {"a": 1}}, "body.b"),
        ({"body": b"no JSON"}, "body"),
        ({"body": {"b": 1, "a": 1}}, "body"),
        ({"body": {"a": 1, "b": 1}, "url": "http://a/b"}, "url"),
        ({"body": {"a": 1, "b": 1}, "headers": {"X-Team": "core"}}, "headers.x-team"),
    ],
)
def test_each_difference_is_found_where_it_is(facts: dict[str, Any], where: str) -> None:
    """Of keys, their order, a body that is no JSON, URL and headers."""
    result = compare([webhook(ORIGINAL, body={"a": 1, "b": 1})], [webhook(SHADOW, **facts)])

    assert [(where, None)] == rows(result)
    assert 1 == result.different


def test_what_only_one_side_sends_is_a_difference_unless_pairs_are_judged() -> None:
    one, other = [webhook(ORIGINAL)], [webhook(SHADOW, "r_2", "else")]
    judged, pairs = compare(one, other), compare(one, other, only_pairs=True)

    assert (2, 2) == (judged.total, judged.different)
    assert (0, 2) == (pairs.total, pairs.unpaired)


def test_events_without_a_name_are_paired_by_what_they_say() -> None:
    """And those of one place that differ, in their order."""
    originals = [webhook(ORIGINAL, None, body) for body in ("a", "b", "c")]
    shadows = [webhook(SHADOW, f"cl.t.0.{number}", body) for number, body in enumerate(("c", "b", "changed"))]
    result = compare(originals, shadows)

    assert (3, 2, 1) == (result.total, result.alike, result.different)
    assert ["cl.t.0.2"] == [each.invocation for each in result.differences]


def test_two_runs_with_equal_requests_are_not_taken_for_one() -> None:
    """Where the mapping leaves the run id out, a request of the wrong run is no match."""
    result = compare([webhook(ORIGINAL, "r_1")], [webhook(SHADOW, "r_2")])

    assert (2, 2) == (result.total, result.different)


def test_an_assumed_answer_says_nothing_of_reports() -> None:
    """Only the requests are compared then."""
    assumed = SHADOW.port("r_1", "PATCH", RUN, {"status": "SUCCESS"}, OK, answer="assumed")
    result = compare([webhook(ORIGINAL), log(ORIGINAL, "x")], [webhook(SHADOW), assumed])

    assert (1, 1) == (result.alike, result.assumed)


def test_without_any_recorded_call_to_port_reports_are_not_compared() -> None:
    """They went through a tunnel, unseen."""
    result = compare([webhook(ORIGINAL)], [webhook(SHADOW), log(SHADOW, "x")])

    assert (1, False) == (result.alike, result.sees_port)


def test_the_response_is_told_before_the_status() -> None:
    calls = {
        lines: [told(lines, RUN, {"a": 1}), told(lines, f"{RUN}/response", {"b": 1})] for lines in (ORIGINAL, SHADOW)
    }
    result = compare(calls[ORIGINAL], calls[SHADOW][::-1])

    assert [("order of calls to Port", None)] == rows(result)


def test_a_summary_may_be_worded_otherwise_but_names_what_the_other_names() -> None:
    words = "failed with 500: all is lost"
    pairs = [
        (told(ORIGINAL, RUN, {"summary": words}, BAD), told(SHADOW, RUN, {"summary": text}, BAD))
        for text in ("HTTP 500 (all is lost)", "HTTP 500")
    ]

    assert [[], [(f"PATCH {RUN}.summary", None)]] == [rows(compare([one], [other])) for one, other in pairs]


FAILED = {"status": "FAILURE", "summary": "500 all is lost"}
EXPLAINED: list[tuple[str, list[Line], list[Line]]] = [
    (
        "D1",
        [webhook(ORIGINAL)],
        [webhook(SHADOW, headers={"Idempotency-Key": "r_1"}, added=["idempotency-key"])],
    ),
    (
        "D2",
        [log(ORIGINAL, "sending", None), webhook(ORIGINAL, answer={"failure": "no connection"})],
        [webhook(SHADOW), told(SHADOW, RUN, FAILED, None)],
    ),
    ("D3", [log(ORIGINAL, "received", None)], [webhook(SHADOW), log(SHADOW, "200")]),
    (
        "D4",
        [log(ORIGINAL, "received", None), answered(BAD)],
        [log(SHADOW, "500", BAD), webhook(SHADOW), told(SHADOW, RUN, FAILED, BAD)],
    ),
    ("D6", [told(ORIGINAL, "/v1/actions/runs/r_0", {}), ], [webhook(SHADOW), message(python_reprints=True)]),
    (
        "D7",
        [told(ORIGINAL, "/v1/workflows/nodes/runs/wfnr_1", {"status": "COMPLETED", "result": "FAILED"})],
        [message(invocation="wfnr_1", result="skipped", reason="no_mapping")],
    ),
    (
        "D10",
        [log(ORIGINAL, "received"), told(ORIGINAL, RUN, FAILED)],
        [message(invocation="cl.t.0.0", about_run="r_1")],
    ),
    (
        "D11",
        [webhook(ORIGINAL, url="https://gitlab.acme.ioapi/v4/p")],
        [webhook(SHADOW, url="https://gitlab.acme.io/v4/p")],
    ),
    (
        "D23",
        [answered(OK), told(ORIGINAL, f"{RUN}/response", {"response": {"token": "abcd"}})],
        [webhook(SHADOW), told(SHADOW, f"{RUN}/response", {"response": {"token": "***"}})],
    ),
    ("D24", [webhook(ORIGINAL)], [message(result="refused", reason="bad_signature", has_destination=True)]),
    ("D27", [webhook(ORIGINAL), webhook(ORIGINAL, redirected=True)], [webhook(SHADOW)]),
    ("D29", [webhook(ORIGINAL, body=b'{"a": 1}')], [webhook(SHADOW, body=b'{"a":1}')]),
    ("D31", [log(ORIGINAL, "a"), log(ORIGINAL, "b")], [log(SHADOW, "a, b")]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "original", "shadow"), EXPLAINED, ids=[row for row, *_ in EXPLAINED])
def test_a_listed_difference_is_named(row: str, original: list[Line], shadow: list[Line]) -> None:
    """By its row, and nothing that is listed is tested by accident."""
    assert row in compare(original, shadow).rows


def test_every_row_has_its_test() -> None:
    assert set(ROWS) == {row for row, *_ in EXPLAINED}


def test_files_of_different_client_secrets_are_refused() -> None:
    """Their fingerprints would all differ."""
    with pytest.raises(BadFile, match="different client secrets"):
        order_files([webhook(ORIGINAL)], [webhook(Lines(["another"], "shadow"))])

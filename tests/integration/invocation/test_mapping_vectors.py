"""The mapping room gives what the published vectors say, with real jq in its child process."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from longshore.invocation import json_text
from longshore.invocation.mapping import MappedRequest, Mapping, Route, Unmatched
from longshore.invocation.mapping.evaluate import BUILT_IN

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "mapping.json").read_text(encoding="utf-8")
)
CASES: list[dict[str, Any]] = VECTORS["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_mapping_gives_what_the_vector_says(case: dict[str, Any]) -> None:
    """Selection, route, request and report; where the vector names another result for the replacement, that one."""
    expect = case.get("replacement_expect", case.get("expect_with_jq_1_8", case["expect"]))
    config = VECTORS["default_config"] if case["config"] == "DEFAULT" else case["config"]
    message = json_text.dumps(VECTORS["messages"][case["message"]], ascii=False)
    entry = expect["selected"]

    with closing(Mapping(json.dumps(config).encode(), case["env"])) as mapping:
        assert entry == mapping.select(message)
        if entry is None:
            assert [Unmatched()] == mapping.routes([message])
            return
        expected = expected_request(expect["request"], case.get("replacement_expect_partial", {}))
        assert [Route(entry, expected.method, expected.url)] == mapping.routes([message])
        assert expected == mapping.request(entry, message)
        if "report" in expect:
            report = mapping.report(entry, report_context(case["response"], expected, message))
            merged = {**default_report(case["response"], json.loads(message)), **report}
            assert_matches(expect["report"], {key: value for key, value in merged.items() if value is not None})
            assert mapping.has_report(entry) == bool(report)


def expected_request(request: dict[str, Any], partial: dict[str, Any]) -> MappedRequest:
    """A vector's request in the form of this room: results that were errors once, query parameters, body as text."""
    body = request["body"]
    if isinstance(body, str) and body.startswith("@"):
        body = VECTORS["messages"][body[1:]]
    headers = partial.get("request_headers", request["headers"])
    return MappedRequest(
        method=partial.get("request_method", request["method"] and request["method"].upper()),
        url=request["url"],
        headers={name: value for name, value in headers.items() if value is not None},
        query=[
            (name, str(item))
            for name, value in request["query"].items()
            for item in (value if isinstance(value, list) else [value])
            if item is not None
        ],
        body=None if body is None else json.dumps(body, separators=(",", ":")),
    )


def report_context(response: dict[str, Any], request: MappedRequest, message: str) -> str:
    """What report expressions see."""
    try:
        parse_result = json.loads(response["body"])
    except ValueError:
        parse_result = None
    context = {
        "body": json.loads(message),
        "request": {
            "method": request.method,
            "url": request.url,
            "body": None if request.body is None else json.loads(request.body),
            "headers": request.headers,
            "query": dict(request.query),
        },
        "response": {
            "statusCode": response["status"],
            "headers": {"Content-Type": response.get("content_type", "application/json")},
            "text": response["body"],
            "json": parse_result,
        },
    }
    return json_text.dumps(context, ascii=False)


def default_report(response: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """The defaults that report keys override."""
    if response["status"] >= 400:
        return {"status": "FAILURE", "summary": f"HTTP {response['status']}: {response['body']}"}
    return {"status": "SUCCESS"} if message["payload"]["action"]["invocationMethod"].get("synchronized") else {}


def assert_matches(expected: Any, actual: Any) -> None:
    """Equality, where `{"$contains": [...]}` stands for any text with these parts."""
    assert expected.keys() == actual.keys()
    for key, value in expected.items():
        if isinstance(value, dict) and "$contains" in value:
            assert all(part in actual[key] for part in value["$contains"])
        else:
            assert value == actual[key]


def test_the_packaged_mappings_are_the_published_ones() -> None:
    """Without a mapping file the built-in two entries hold."""
    assert VECTORS["default_config"] == json.loads(BUILT_IN.read_text(encoding="utf-8"))

"""Templates of mapping files, and what is made of the results of their expressions."""

import pytest

from longshore.invocation.body_format import BodyFormat
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.json_text import Literal
from longshore.invocation.mapping import MappingFault, request
from longshore.invocation.mapping.body import encode_body
from longshore.invocation.mapping.jq_text import guard_expression, readable_by_jq
from longshore.invocation.mapping.lint import warnings_of
from longshore.invocation.mapping.schema import MappingEntry
from longshore.invocation.mapping.template import Expressions, fill
from longshore.invocation.success_section import SuccessOptions


def test_every_text_of_a_template_is_an_expression_with_its_place() -> None:
    """Keys and all that is no text are literal; the structure comes back with the results in it."""
    expressions = Expressions()
    template = expressions.add({"a": ".x", "n": 1, "l": [".y", {"z.z": ".z"}, None, True]}, "mapping 0, body")

    assert [("mapping 0, body.a", ".x"), ("mapping 0, body.l.0", ".y"), ("mapping 0, body.l.1.z.z", ".z")] == [
        (expression.place, expression.source) for expression in expressions.all
    ]
    assert {"a": 1, "n": 1, "l": ["two", {"z.z": None}, None, True]} == fill(template, [1, "two", None])


def test_nested_empty_objects_disappear() -> None:
    """Also those that are empty only then; empty lists and the whole empty object stay."""
    expressions = Expressions()

    assert {"l": [], "k": [{}]} == expressions.add({"a": {}, "b": {"c": {"d": {}}}, "l": [], "k": [{}]}, "body")
    assert {} == expressions.add({}, "body")


def test_a_result_is_not_taken_for_a_template() -> None:
    """Empty objects that an expression gives stay."""
    assert {"a": {}} == fill(Expressions().add({"a": ".x"}, "body"), [{}])


def test_a_syntax_error_gives_null() -> None:
    """Without being evaluated."""
    assert "[null]" == guard_expression(None)


def test_text_without_surrogate_escapes_is_left_alone() -> None:
    """The usual case costs a search and no copy."""
    text = '{"a":"\\u0000 é 🚀"}'

    assert text is readable_by_jq(text)


def test_numbers_have_their_json_text_in_headers_and_query() -> None:
    """As Python prints them."""
    assert {"A": "1e-07", "B": "3"} == request.headers({"A": Literal("1e-7"), "B": 3}, "")
    assert [("a", "1e-07"), ("b", "3")] == request.query({"a": Literal("1E-7"), "b": [3]}, "")


def test_methods_are_upper_case_and_post_by_default() -> None:
    """Any verb."""
    assert ["POST", "POST", "PURGE"] == [request.method(value, "") for value in (None, "", "purge")]


def test_an_empty_url_is_none() -> None:
    """Which is reported as such, and not as a url that is malformed."""
    assert [None, None, "x"] == [request.url(value, "") for value in (None, "", "x")]


def test_a_body_that_is_too_deep_is_a_fault() -> None:
    """And no crash."""
    body: list[object] = []
    for _ in range(100_000):
        body = [body]

    with pytest.raises(MappingFault, match="mapping 0, body is nested too deeply"):
        encode_body(body, BodyFormat.JSON, "mapping 0, body")


@pytest.mark.parametrize("source", [".body", "{a: .body}", "[.request.url]", ". as $x | .response", ".a, .body.b"])
def test_paths_that_only_a_report_has_are_pointed_out(source: str) -> None:
    """One published example has `.body` in a body."""
    (warning,) = warnings_of(MappingEntry(body=source), 0)
    assert "gives null" in warning


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        (".response.json.ok", "there is no .response here; the answer has .status, .headers and .body"),
        (".statusCode == 200", "there is no .statusCode here; the answer has .status, .headers and .body"),
        (".headers.Location", "names of headers are in lower case here: location"),
        ('.headers["X-Result"] == "good"', "names of headers are in lower case here: x-result"),
        ('.body.json.ok and .headers["x-a"]', None),
        (".body.response.headers.Location", None),
    ],
)
def test_a_condition_that_cannot_hold_is_pointed_out(condition: str, hint: str | None) -> None:
    """It has other names than a report, and would make a failure of every delivery."""
    entry = MappingEntry(delivery=DeliveryOptions(success=SuccessOptions(condition=condition)))
    expected = [] if hint is None else [f"mapping 0, delivery, success, condition: {hint}"]

    assert expected == list(warnings_of(entry, 0))


@pytest.mark.parametrize("source", [".payload.body", ".bodyguard", '."a".body', ".a[].body", '.["a"].body', ".a?.body"])
def test_paths_that_may_exist_are_not(source: str) -> None:
    """Further down, these names are names like others."""
    assert [] == list(warnings_of(MappingEntry(body=source), 0))

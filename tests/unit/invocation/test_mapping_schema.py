"""A mapping file is read by the contract's schema, or everything that is wrong with it is said."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation.mapping.schema import Findings, MappingEntry, read


def entry(mapping: Any) -> MappingEntry:
    """The one entry of a file without problems."""
    findings = Findings()
    (mapping_entry,) = read(json.dumps([mapping]).encode(), findings)
    assert [] == findings.problems
    return mapping_entry


def problems(content: Any) -> list[str]:
    """What is wrong with a file."""
    findings = Findings()
    read(content if isinstance(content, bytes) else json.dumps(content).encode(), findings)
    return findings.problems


def test_an_empty_mapping_has_the_defaults() -> None:
    """Enabled, and everything else as the message says."""
    assert MappingEntry(True, None, None, None, None, None, {}, ()) == entry({})


def test_null_is_as_good_as_absent() -> None:
    """But for two keys, see below."""
    assert entry({}) == entry(dict.fromkeys(("url", "method", "headers", "body", "query", "report")))


@pytest.mark.parametrize("value", [True, 1, 1.0, "true", "YES", "on", "T", "y", "1"])
def test_spellings_of_true(value: Any) -> None:
    """Any case, and the number."""
    assert entry({"enabled": value}).enabled is True


@pytest.mark.parametrize("value", [False, 0, 0.0, "False", "no", "OFF", "f", "N", "0"])
def test_spellings_of_false(value: Any) -> None:
    """Any case, and the number."""
    assert entry({"enabled": value}).enabled is False


@pytest.mark.parametrize(("value", "expression"), [(".a == 1", ".a == 1"), (" true", " true"), (2, "2"), ("", "")])
def test_anything_else_is_an_expression(value: Any, expression: str) -> None:
    """Spaces make it one."""
    assert expression == entry({"enabled": value}).enabled


def test_numbers_and_booleans_are_read_as_jq() -> None:
    """As Port's own agent reads them, number by number as written."""
    mapping_entry = entry(
        {"headers": {"N": 3, "B": True}, "url": 1.5, "query": 2, "body": False, "report": {"link": 1}}
    )

    assert ({"N": "3", "B": "true"}, "1.5", "2", "false", {"link": "1"}) == (
        mapping_entry.headers,
        mapping_entry.url,
        mapping_entry.query,
        mapping_entry.body,
        mapping_entry.report,
    )


def test_a_report_has_four_keys() -> None:
    """Others are ignored with a warning, null ones are left out."""
    findings = Findings()
    (mapping_entry,) = read(b'[{"report":{"link":".x","other":1,"summary":null,"externalRunId":"1"}}]', findings)

    assert {"link": ".x", "externalRunId": "1"} == mapping_entry.report
    assert ["mapping 0, report: unknown key 'other' is ignored"] == findings.warnings


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not UTF-8"),
        (b"[" * 100 + b"]" * 100, "is nested deeper than 64 levels"),
        ({}, "is an object, not a list of mappings"),
        ([None], "mapping 0 is null, not an object"),
        ([{}, []], "mapping 1 is a list, not an object"),
        ([{"enabled": None}], "mapping 0, enabled is null"),
        ([{"enabled": []}], "mapping 0, enabled is a list, not a jq text"),
        ([{"url": {}}], "mapping 0, url is an object, not a jq text"),
        ([{"headers": []}], "mapping 0, headers is a list, not a jq text"),
        ([{"headers": {"X": None}}], "mapping 0, headers 'X': is null, not a jq text"),
        ([{"headers": {"X": {}}}], "mapping 0, headers 'X': is an object, not a jq text"),
        ([{"query": {"q": []}}], "mapping 0, query 'q': is a list, not a jq text"),
        ([{"body": []}], "mapping 0, body is a list; put it into a jq text"),
        ([{"report": ".x"}], "mapping 0, report is a text, not an object"),
        ([{"report": {"link": []}}], "mapping 0, report 'link': is a list, not a jq text"),
        ([{"fieldsToDecryptPaths": None}], "mapping 0, fieldsToDecryptPaths is null, not a list of paths"),
        ([{"fieldsToDecryptPaths": "a.b"}], "mapping 0, fieldsToDecryptPaths is a text, not a list of paths"),
        ([{"fieldsToDecryptPaths": [None]}], "mapping 0, fieldsToDecryptPaths '0': is null"),
    ],
)
def test_what_is_against_the_schema_is_named(content: Any, problem: str) -> None:
    """With its entry and key."""
    (message,) = problems(content)
    assert message.startswith(problem)


def test_all_problems_are_named_at_once() -> None:
    """One look, and not one start per mistake."""
    assert 3 == len(problems([{"body": [], "url": []}, {"enabled": None}]))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
)


def test_a_repeated_key_is_warned_of_wherever_it_stands() -> None:
    """The last one counts, as for Port's own agent; the other is most likely a mistake."""
    findings = Findings()
    (mapping_entry,) = read(
        b'[{"url": ".a", "url": ".b", "body": {"list": [{"k": ".c", "k": ".d", "k": ".e"}]}}]', findings
    )

    assert (".b", {"list": [{"k": ".e"}]}) == (mapping_entry.url, mapping_entry.body)
    assert [] == findings.problems
    assert [
        "mapping 0: key 'url' is given 2 times; only the last one counts",
        "mapping 0, body, list, 0: key 'k' is given 3 times; only the last one counts",
    ] == findings.warnings


@given(st.lists(st.dictionaries(st.sampled_from(["enabled", "url", "body", "headers", "report", "x"]), anything)))
def test_no_file_raises(content: Any) -> None:
    """Entries, or problems."""
    problems(content)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"- enabled: true\n  url: .x\n", "line 1, column 1"),
        (b"enabled: true\n", "line 1, column 1"),
        (b"[\n  // ours\n  {}\n]", "line 2, column 3"),
        (b'[\n  {"url": ".x",}\n]', "line 2, column "),
        (b"[\n  {'url': '.x'}\n]", "line 2, column 4"),
        (b'[\n {"enabled": NaN}]', "line 2, column 14"),
        (b"[{}]\n[{}]", "line 2, column 1"),
        (b"[{}", "line 1, column 4"),
        (b"[" + b"1" * 5000 + b"\n,]", "line 2, column "),
        (b"\xef\xbb\xbf[,]", "line 1, column 2"),
    ],
)
def test_what_is_no_strict_json_is_named_by_its_place(content: bytes, place: str) -> None:
    """YAML and comments are what people try; the file is named by whoever reads it."""
    (problem,) = problems(content)

    assert problem.startswith(f"is not JSON ({place}")
    assert "YAML, comments and commas at the end of lists are not supported" in problem

"""From what the mapping gave to what goes over the wire."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery import Unsendable, Verdict
from longshore.delivery.request import prepare
from tests.support.posting import SECRET, Post, make_sender

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "mapping.json").read_text())["cases"]
NOW = 1_767_225_600.0


def headers_of(post: Post, extra: dict[str, str] | None = None) -> dict[str, str | bytes]:
    """The headers that go out, by lower-case name; fails when one would go out twice."""
    prepared = prepare(post, extra or {}, SECRET, NOW)
    names = [name.lower() for name in prepared.headers]
    assert len(set(names)) == len(names)
    return {name.lower(): value for name, value in prepared.headers.items()}


def texts(query: dict[str, Any]) -> list[tuple[str, str]]:
    """Query values as the mapping hands them over."""
    pairs = [(key, each) for key, value in query.items() for each in (value if isinstance(value, list) else [value])]
    return [(key, str(value)) for key, value in pairs if value is not None]


@pytest.mark.parametrize("case", [case for case in CASES if "wire" in case["expect"]], ids=lambda case: case["name"])
def test_the_wire_of_every_mapping_vector_is_met(case: dict[str, Any]) -> None:
    """Method, URL and content type, as the original sent them."""
    request, wire = case["expect"]["request"], case["expect"]["wire"]
    body = None if request["body"] is None else "{}"
    headers = {name: value for name, value in request["headers"].items() if value is not None}
    post = Post(request["url"], body, request["method"], headers, texts(request["query"]))

    prepared = prepare(post, {}, SECRET, NOW)

    assert (wire["method"], wire["url"]) == (prepared.method, prepared.url)
    assert wire.get("content_type") == prepared.headers.get("Content-Type")


def test_mapped_headers_win_over_ours_in_any_case_of_letters() -> None:
    """The mapping is the operator's word."""
    mapping_headers = {"content-type": "text/x", "USER-AGENT": "curl", "idempotency-KEY": "mine", "accept": "text/html"}
    headers = headers_of(Post("http://a/", headers=mapping_headers), {"Idempotency-Key": "r_1"})

    assert mapping_headers == {name: headers[name.lower()] for name in mapping_headers}


def test_the_idempotency_key_goes_out_unless_mapped() -> None:
    """It is handed in from outside, under the name that a setting gives it."""
    assert "r_1" == headers_of(Post("http://a/"), {"X-Once": "r_1"})["x-once"]


def test_nothing_wins_over_the_signature() -> None:
    """A mapped one would be somebody else's."""
    mapping_headers = {"x-port-signature": "v1,forged", "X-PORT-TIMESTAMP": "0"}
    headers = headers_of(Post("http://a/", headers=mapping_headers), {"X-Port-Signature": "v1,forged"})

    assert "1767225600" == headers["x-port-timestamp"]
    assert "v1,forged" != headers["x-port-signature"]


def test_the_last_of_two_spellings_of_a_header_wins() -> None:
    """Both would be one header, twice."""
    assert "2" == headers_of(Post("http://a/", headers={"X-A": "1", "x-a": "2"}))["x-a"]


@pytest.mark.parametrize("host", ["a.example:8080", "A.Example:8080 "])
def test_a_mapped_host_that_is_the_urls_own_is_left_to_us(host: str) -> None:
    """It changes nothing, and mapping files that have it go on working."""
    assert "host" not in headers_of(Post("http://a.example:8080/", headers={"Host": host}))


@pytest.mark.parametrize(
    ("value", "wire_value"),
    [
        ("  spaced\t", "spaced"),
        ("", ""),
        ("Zürich", "Zürich"),
        ("Łódź 🚀", "Łódź 🚀".encode()),
    ],
)
def test_header_values_of_all_alphabets_can_be_sent(value: str, wire_value: str | bytes) -> None:
    """Latin-1 as the original did, anything else as UTF-8, which the original refused."""
    assert wire_value == headers_of(Post("http://a/", headers={"X-A": value}))["x-a"]


INJECTED = [
    Post("http://a/", method="GET / HTTP/1.1\r\nX-B:"),
    Post("http://a/", method=""),
    Post("http://a/", method="PÖST"),
    Post("http://a/", headers={"X-A": "b\r\nX-C: d"}),
    Post("http://a/", headers={"X-A": "b\n"}),
    Post("http://a/", headers={"X-A": "b\0c"}),
    Post("http://a/", headers={"X-A": "b\rc"}),
    Post("http://a/", headers={"X-A\r\nX-C": "b"}),
    Post("http://a/", headers={"X A": "b"}),
    Post("http://a/", headers={"X-A:": "b"}),
    Post("http://a/", headers={"": "b"}),
    Post("http://a/", headers={"X-Ä": "b"}),
    Post("http://a/", headers={"X-A": "\ud800"}),
    Post("http://a/", body='"\ud800"'),
    Post("http://a/", headers={"Content-Length": "7"}),
    Post("http://a/", headers={"content-length": ""}),
    Post("http://a/", headers={"TRANSFER-ENCODING": "chunked"}),
    Post("http://a/", headers={"Host": "b"}),
    Post("http://a/", headers={"host": "a:81"}),
    Post("http://a/", headers={"Host": ""}),
    Post("http://a/", headers={"Host": "a, b"}),
    Post("http://a/", method="CONNECT"),
    Post("http://a/", method="Connect"),
    Post("http://ann@a/"),
    Post("http://ann:X-C@a/"),
    Post("https://:@a/"),
    Post("http://good.example%2f@a/"),
]


@pytest.mark.parametrize("post", INJECTED)
def test_what_would_smuggle_something_in_is_refused_without_quoting_it(post: Post) -> None:
    """As a value, before anything is sent: it will be the same tomorrow."""
    outcome = make_sender().send(post)

    assert (Verdict.GIVE_UP, False, "bad_request") == (outcome.verdict, outcome.sent, outcome.reason)
    assert outcome.cause
    assert outcome.cause.isprintable()
    assert "X-C" not in outcome.cause


@pytest.mark.parametrize("url", [None, "", "/path", "http://", "ftp://a/", "http://a/b\r\nX-C: d", "http://a\0b/"])
def test_a_url_that_is_none_is_refused(url: str | None) -> None:
    """The mapping gave nothing, or nothing that could be called."""
    outcome = make_sender().send(Post(url))

    assert (Verdict.GIVE_UP, False) == (outcome.verdict, outcome.sent)
    assert ("bad_request" if "X-C" in (url or "") or "\0" in (url or "") else "bad_url") == outcome.reason
    assert "X-C" not in outcome.cause


def test_parts_of_another_type_are_no_exception() -> None:
    """A mapping that got past its own checks must not end the worker's task."""
    outcome = make_sender().send(Post("http://a/", headers={"X-A": cast(str, None)}))

    assert (Verdict.GIVE_UP, False, "bad_request") == (outcome.verdict, outcome.sent, outcome.reason)


@given(
    url=st.text(max_size=30).map(lambda text: "http://a/" + text),
    headers=st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3),
    query=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3),
    body=st.none() | st.text(max_size=20),
    method=st.text(max_size=8),
)
def test_nothing_from_a_payload_is_an_error_of_another_kind(
    url: str, headers: dict[str, str], query: list[tuple[str, str]], body: str | None, method: str
) -> None:
    """It is sendable, or it says why not."""
    try:
        prepared = prepare(Post(url, body, method, headers, query), {}, SECRET, NOW)
    except Unsendable:
        return
    assert prepared.url is not None
    assert prepared.url.isascii()
    assert not any(character in prepared.url for character in " \r\n\0")

"""Bodies that are no JSON: what each format makes of a value, what it refuses, and what of it is secret."""

import html
import json
from typing import Any
from urllib.parse import parse_qsl, quote_plus
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation.body_format import BodyFormat
from longshore.invocation.mapping import MappingFault
from longshore.invocation.mapping.body import encode_body
from longshore.invocation.mapping.schema import Findings, read
from longshore.invocation.masking import Mask
from longshore.invocation.sensitive_bodies import sensitive_body_values

FORM, TEXT, XML = BodyFormat.FORM, BodyFormat.TEXT, BodyFormat.XML


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ({"a": "1 & 2", "b": "Zürich", "c": ""}, "a=1+%26+2&b=Z%C3%BCrich&c="),
        ({"n": 3, "f": 1.5, "t": True, "no": False, "gone": None}, "n=3&f=1.5&t=true&no=false"),
        ({"l": ["x", None, 2], "e": []}, "l=x&l=2"),
        (
            {"json": {"a": [1, "é"]}, "l": [{"b": 1}]},
            "json=%7B%22a%22%3A%5B1%2C%22%5Cu00e9%22%5D%7D&l=%7B%22b%22%3A1%7D",
        ),
        ("a=1&b=x%20y%FF&c", "a=1&b=x%20y%FF&c"),
        ({}, None),
        (None, None),
    ],
)
def test_an_object_becomes_a_form(value: Any, body: str | None) -> None:
    """Lists repeat their key, null is left out, and what is nested deeper is JSON text."""
    assert body == encode_body(value, FORM, "")


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_a_form_says_what_the_object_said(value: dict[str, str]) -> None:
    """Whatever the characters, the receiver reads the same pairs."""
    assert list(value.items()) == parse_qsl(encode_body(value, FORM, "") or "", keep_blank_values=True)


@pytest.mark.parametrize(
    ("value", "body_format", "problem"),
    [
        ([1], FORM, "gives a list, not an object"),
        (1, FORM, "gives a number, not an object"),
        ({"a": "\ud800"}, FORM, "lone surrogate"),
        ("a=b c", FORM, "no form yet: encode"),
        ("a=100%", FORM, "no form yet: encode"),
        ("a=é", FORM, "no form yet: encode"),
        ({"a": 1}, TEXT, "gives an object, not a text: write tojson"),
        ({"a": 1}, XML, "gives an object, not a text of XML"),
        ("<a>\n<b></a>", XML, "mismatched tag, line 2, column 6"),
        ("<a>\ud800</a>", XML, "lone surrogate"),
        ("", XML, "it has no element"),
        ("<a>b<c>", XML, "ends inside one, line 1, column 8"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>', XML, "sent in UTF-8"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', XML, "DOCTYPE"),
    ],
)
def test_what_a_format_cannot_say_is_a_fault(value: Any, body_format: BodyFormat, problem: str) -> None:
    """It names the place and the remedy, and nothing of the value."""
    with pytest.raises(MappingFault, match=problem) as fault:
        encode_body(value, body_format, "mapping 0, body")
    assert "mapping 0, body" == fault.value.place


@pytest.mark.parametrize(
    ("value", "body_format"),
    [
        ("a,b\r\n1,2\r\n", TEXT),
        ('<?xml version="1.0" encoding="UTF-8"?>\n<a b="1">é &amp; 🚀</a>', XML),
    ],
)
def test_a_text_is_sent_as_the_mapping_gives_it(value: str, body_format: BodyFormat) -> None:
    """To the character."""
    assert value == encode_body(value, body_format, "")


def test_numbers_and_booleans_are_texts_too() -> None:
    """As JSON writes them."""
    assert ["3", "true"] == [encode_body(value, TEXT, "") for value in (3, True)]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"bodyFormat": "Form"}, "mapping 0, bodyFormat is 'Form'; did you mean 'form'?"),
        ({"bodyFormat": "yaml"}, "mapping 0, bodyFormat is 'yaml'; known are json, form, text, xml"),
        ({"bodyFormat": True}, "mapping 0, bodyFormat is a boolean, not a text"),
        ({"bodyFormat": "xml"}, "mapping 0, bodyFormat is xml: body must be a jq text that gives a text"),
        (
            {"bodyFormat": "text", "body": {"a": "1"}},
            "mapping 0, bodyFormat is text: body must be a jq text that gives a text",
        ),
    ],
)
def test_a_format_that_cannot_work_prevents_the_start(entry: Any, problem: str) -> None:
    """With what is known, or most similar."""
    findings = Findings()
    read(json.dumps([entry]).encode(), findings)
    assert [problem] == findings.problems


def test_a_misspelt_key_is_warned_of() -> None:
    """Port's agent knows none of them, so it does not prevent the start."""
    findings = Findings()
    read(b'[{"bodyformat": "form"}]', findings)
    assert ["mapping 0: unknown key 'bodyformat' is ignored; did you mean 'bodyFormat'?"] == findings.warnings


@pytest.mark.parametrize(
    ("body", "body_format"),
    [
        ("user=a&password=top+secret%2F1&page=2", FORM),
        ("json=" + quote_plus('{"a":[{"token":"top secret/1"}]}'), FORM),
        ("<a><wsse:Password Type='x'>top secret/1</wsse:Password><b>2</b></a>", XML),
        ("<a><token>\n  top secret/1\n</token></a>", XML),
        ("<a><token><![CDATA[top secret/1]]></token></a>", XML),
        ("<a apiKey = 'top secret/1' page='2 or three'/>", XML),
    ],
)
def test_values_under_sensitive_names_are_found_in_every_format(body: str, body_format: BodyFormat) -> None:
    """And no other."""
    assert ["top secret/1"] == list(sensitive_body_values(body, body_format))


def test_looking_through_a_long_body_takes_no_longer_than_its_length() -> None:
    """A hostile one would take hours in time that grows with its square."""
    for body in ("a" * 1_000_000, "<" * 1_000_000, "<a " + "b " * 500_000, "a=" * 500_000):
        assert [] == list(sensitive_body_values(body, XML))


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=4).filter(lambda text: text.isprintable())
)
def test_no_format_hides_a_secret_from_the_mask(secret: str) -> None:
    """As fields of forms, as JSON in them, and as text and attributes of XML."""
    mask = Mask([secret])
    element = ElementTree.Element("a", {"b": secret})
    element.text = secret
    bodies = [
        encode_body({"a": secret, "b": [secret], "c": {"d": secret}}, FORM, "") or "",
        ElementTree.tostring(element, "unicode"),
        f"<a b={quoteattr(secret)}>{html.escape(secret)}</a>",
        "<a>" + html.escape(secret).replace("&#x27;", "&#39;") + "</a>",
        "<a>" + html.escape(secret).replace("&#x27;", "&apos;") + "</a>",
    ]

    for body in bodies:
        masked = mask.body(body)
        assert "***" in masked
        assert not [part for part in html.unescape(masked).split("***") if secret in part]
        assert secret not in [value for _, value in parse_qsl(masked)]

"""Bodies of responses as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery.body import decode_body


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"", "", ""),
        ("Zürich".encode(), "", "Zürich"),
        ("Zürich".encode("latin-1"), "text/plain", "Zürich"),
        ("Zürich".encode("latin-1"), "text/plain; CHARSET='iso-8859-1'", "Zürich"),
        ("Zürich".encode(), "text/plain; charset=klingon", "Zürich"),
        ("Zürich".encode(), "text/plain; charset=utf\0", "Zürich"),
        (b"\xef\xbb\xbf{}", "application/json", "{}"),
        ('{"a":1}'.encode("utf-16-be"), "application/json", '{"a":1}'),
        ("né".encode()[:-1], "", "n\ufffd"),
        (b"a\xff", "application/json; charset=utf-8", "a\ufffd"),
        (b"6869", "text/plain; charset=hex", "6869"),
        (b"\xef\xbb\xbf{}", "application/json; charset=utf-8", "{}"),
        (b"\xef\xbb\xbf{}", "application/json; charset=iso-8859-1", "{}"),
        ("{}".encode("utf-16"), "application/json; charset=utf-16le", "{}"),
        ("{}".encode("utf-32"), "application/json; charset=utf-8", "{}"),
        ("Łódź".encode("cp1250"), 'text/plain; a="b"; charset = "windows-1250" ; c=d', "Łódź"),
        ("こんにちは".encode("shift_jis"), "text/plain;charset=Shift_JIS", "こんにちは"),
        ("Zürich".encode(), "text/plain; charset*=utf-8''latin1; charset*0*=x", "Zürich"),
    ],
)
def test_the_declared_charset_counts_and_else_utf_8(body: bytes, content_type: str, text: str) -> None:
    """What does not fit is replaced, never an error."""
    assert text == decode_body(body, content_type)


@given(st.binary(max_size=200), st.text(max_size=40).map(lambda text: "text/plain; charset=" + text))
def test_no_body_and_no_charset_is_an_error(body: bytes, content_type: str) -> None:
    """The target chooses both."""
    decode_body(body, content_type)


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf-7", "hz", "rot13", "zip", "undefined"]
)
def test_a_codec_of_pythons_that_is_no_charset_is_not_taken(charset: str) -> None:
    """Some of them take seconds for 100 KB, chosen by whoever answers; this body would take minutes."""
    body = b"-" + b"a" * 1_000_000

    assert body.decode() == decode_body(body, f"text/plain; charset={charset}")


@pytest.mark.parametrize("content_type", ["a/b" + ";charset*0*" * 6_000, "a/b" + "; " * 30_000, "charset=" * 8_000])
def test_a_content_type_of_60_kb_costs_no_more_than_a_short_one(content_type: str) -> None:
    """The standard library's parser would take minutes, or an error, for some."""
    assert "ok" == decode_body(b"ok", content_type)

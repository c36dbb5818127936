"""Bodies of responses as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery.body import as_text


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
    ],
)
def test_the_declared_charset_counts_and_else_utf_8(body: bytes, content_type: str, text: str) -> None:
    """What does not fit is replaced, never an error."""
    assert text == as_text(body, content_type)


@given(st.binary(max_size=200), st.text(max_size=40).map(lambda text: "text/plain; charset=" + text))
def test_no_body_and_no_charset_is_an_error(body: bytes, content_type: str) -> None:
    """The target chooses both."""
    as_text(body, content_type)

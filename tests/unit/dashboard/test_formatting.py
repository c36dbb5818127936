"""Texts from outside, formatted for a page."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.dashboard import formatting


@given(text=st.text(st.characters(), max_size=50))
def test_any_text_can_be_written_as_utf8(text: str) -> None:
    """Lone surrogates too, which no page could hold."""
    formatting.format_text(text).encode()


def test_what_reverses_text_is_escaped() -> None:
    """`gpj.exe` must not look like `exe.jpg`."""
    assert "a\\u202egpj.exe" == formatting.format_text("a\u202egpj.exe")
    assert "\\u0000\\u001b[2J" == formatting.format_text("\0\x1b[2J")


def test_writing_from_right_to_left_stays_readable() -> None:
    """Hebrew and Arabic are no attack."""
    assert "שלום مرحبا 👩‍👧 é" == formatting.format_text("שלום مرحبا 👩‍👧 é")


def test_a_long_text_is_cut_and_says_so() -> None:
    """A megabyte would fill the screen."""
    assert "xxx … (999,997 more characters)" == formatting.format_text("x" * 1_000_000, 3)


def test_a_line_has_no_line_breaks() -> None:
    """In a row of a table."""
    assert "a b c" == formatting.format_line("a\nb\tc")

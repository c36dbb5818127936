"""Foreign texts made fit for a page."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.dashboard import shown


@given(text=st.text(st.characters(), max_size=50))
def test_any_text_can_be_written_as_utf8(text: str) -> None:
    """Half characters too, which no page could hold."""
    shown.text(text).encode()


def test_what_turns_text_round_is_spelled_out() -> None:
    """`gpj.exe` must not look like `exe.jpg`."""
    assert "a\\u202egpj.exe" == shown.text("a\u202egpj.exe")
    assert "\\u0000\\u001b[2J" == shown.text("\0\x1b[2J")


def test_writing_from_right_to_left_stays_readable() -> None:
    """Hebrew and Arabic are no attack."""
    assert "שלום مرحبا 👩‍👧 é" == shown.text("שלום مرحبا 👩‍👧 é")


def test_a_long_text_is_cut_and_says_so() -> None:
    """A megabyte would fill the screen."""
    assert "xxx … (999,997 more characters)" == shown.text("x" * 1_000_000, 3)


def test_a_line_has_no_line_breaks() -> None:
    """In a row of a table."""
    assert "a b c" == shown.line("a\nb\tc")

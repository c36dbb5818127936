"""Sets of offsets as text: nothing is lost on the way, and it fits where it must."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.kafka.offset_set import complement, contains, decode, drop_below, encode, fits, join

BROKER_LIMIT = 4096
"""Bytes of a commit's metadata (offset.metadata.max.bytes)."""


@given(start=st.integers(0, 2**40), span=st.integers(0, 5000), data=st.data())
def test_a_set_survives_its_text(start: int, span: int, data: Any) -> None:
    """Whichever of the two forms was shorter."""
    holes = sorted(data.draw(st.sets(st.integers(start, start + span))))
    offsets = complement(start, start + span, holes)

    assert decode(encode(offsets, start), start) == offsets
    assert all(contains(offsets, offset) == (offset not in holes) for offset in range(start, start + span))


@pytest.mark.parametrize(
    ("holes", "spread"),
    [(400, 40_000), (900, 128), (11_000, 2), (50, 2**40), (23_000, 1)],
)
def test_what_fits_fits_whichever_of_it_gets_finished(holes: int, spread: int) -> None:
    """The room is asked for before anything is stored, and completions come in any order."""
    assert fits(holes, holes * spread)
    for step in (1, 2, 3, 7):
        unfinished = range(0, holes * spread, spread)[::step]
        text = encode(complement(0, holes * spread, list(unfinished)), 0)
        assert len(text) < BROKER_LIMIT - 100


def test_what_would_not_fit_is_known_before() -> None:
    """Many unfinished ones far apart."""
    assert not fits(3000, 2**30)
    assert len(encode(complement(0, 2**30, range(0, 2**30, 2**18)), 0)) < BROKER_LIMIT


@pytest.mark.parametrize("text", ["?", "x", "rAA", "r!", "r/w==", "rAQ==", "zAQE="])
def test_other_text_is_refused(text: str) -> None:
    """Metadata is text that anybody may write."""
    with pytest.raises(ValueError):
        decode(text, 0)


def test_sets_are_joined_and_cut() -> None:
    """Neighbours become one; what is below an offset goes."""
    assert join([(1, 3), (3, 5), (7, 9), (8, 10)]) == ((1, 5), (7, 10))
    assert drop_below(((1, 5), (7, 10)), 4) == ((4, 5), (7, 10))

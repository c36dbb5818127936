"""Labels stay few, whatever targets come and whatever they answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.telemetry.labels import OTHER, TargetLabels, outcome_of


@given(st.lists(st.text(max_size=5)))
def test_there_are_never_more_targets_than_allowed(names: list[str]) -> None:
    """And one that has a name keeps it."""
    targets = TargetLabels(3)
    labels = [targets.of(name) for name in names]

    assert len(set(labels) - {OTHER}) <= 3
    assert labels == [targets.of(name) for name in names]


@given(st.integers(0, 10_000))
def test_a_target_cannot_make_up_outcomes(status: int) -> None:
    """There are a thousand statuses; of most nobody wants a curve."""
    assert len({outcome_of(f"http_{n}") for n in (*range(100, 600), status)}) < 40


@pytest.mark.parametrize("reason", ["delivered", "http_404", "http_503", "read_timeout", "dns", ""])
def test_an_outcome_is_its_reason_code(reason: str) -> None:
    """The same word as in lists and filters."""
    assert reason == outcome_of(reason)


def test_rare_statuses_are_their_hundred() -> None:
    """So that each attempt is still counted as what it was."""
    assert ("http_4xx", "http_5xx") == (outcome_of("http_418"), outcome_of("http_599"))

"""A few numbers per minute are enough to say how long deliveries took, to a fifth."""

from collections import Counter

import pytest

from longshore.ledger.latency import LAST, bucket_of, quantile_ms


@pytest.mark.parametrize("duration_ms", [12, 80, 450, 2_000, 31_000, 600_000, 7_200_000])
def test_a_quantile_is_exact_to_a_fifth(duration_ms: float) -> None:
    """From milliseconds to hours."""
    found = quantile_ms({bucket_of(duration_ms): 100}, 0.5)
    assert found is not None
    assert abs(found - duration_ms) <= 0.25 * duration_ms


def test_a_quantile_is_among_the_durations_that_it_is_of() -> None:
    """Most are quick; the few that are not make the tail, and only that."""
    counts = Counter([bucket_of(50)] * 90 + [bucket_of(5_000)] * 10)
    assert 30 <= (quantile_ms(counts, 0.5) or 0) <= 60
    assert 3_500 <= (quantile_ms(counts, 0.95) or 0) <= 6_000
    assert quantile_ms({}, 0.5) is None


def test_the_number_of_buckets_has_an_end() -> None:
    """Whatever a clock says."""
    assert (0, LAST) == (bucket_of(0), bucket_of(1e15))

"""A breaker as the scripts keep it, and the scores of what waits: each read in one place for each language."""

import re

import pytest

from longshore.ledger import scripts
from longshore.ledger.breaker import Breaker, BreakerStatus
from longshore.ledger.due_scores import due_ms, last_due_score

NOW = 1_767_225_600_000


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (None, BreakerStatus.CLOSED),
        (b"0|0|0|0|", BreakerStatus.CLOSED),
        (b"3|0|0|0|", BreakerStatus.FAILING),
        (b"5|%d|5000|0|" % (NOW + 1), BreakerStatus.OPEN),
        (b"5|%d|5000|0|" % NOW, BreakerStatus.HALF_OPEN),
        (b"5|%d|5000|0|r_1" % NOW, BreakerStatus.HALF_OPEN),
        (b"0|%d|5000|4|" % NOW, BreakerStatus.RAMPING),
        (b"5|%d|5000|0|a|b" % NOW, BreakerStatus.HALF_OPEN),  # an id of Port's may hold any character
    ],
)
def test_a_breaker_is_read_as_the_scripts_wrote_it(text: bytes | None, status: BreakerStatus) -> None:
    """Failures, until when it is open, for how long, room while it ramps up, the probe's id."""
    assert status is Breaker.parse(text).status(NOW)


def test_a_retry_is_due_before_its_score_says_so() -> None:
    """By the head start of first attempts; half a ms tells the two apart."""
    assert NOW == due_ms(NOW, 60_000)
    assert NOW == due_ms(NOW + 60_000.5, 60_000)
    assert NOW + 60_000.5 <= last_due_score(NOW, 60_000)


def test_the_scripts_read_scores_and_breakers_in_one_place_too() -> None:
    """Whoever needs one asks `is_late`, `due_of` or `breaker_of`."""
    head_start = r"limits\.late\b.*0\.5|0\.5.*limits\.late"
    scores = [name for name in scripts.FILES if re.search(head_start, scripts.text(name))]
    breakers = [name for name in scripts.FILES if r"(%d+)|(%d+)" in scripts.text(name)]

    assert (["transitions"], ["limits_and_breaker"]) == (scores, breakers)

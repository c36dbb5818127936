"""Which fault strikes when: drawn from a seed alone, so that the same seed gives the same schedule."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.support.strikes.strike import Strike

MAX_PAUSE_S = 4.0


def schedule(strikes: Sequence[Strike], seed: int) -> Iterator[tuple[float, Strike]]:
    """Without an end: seconds of peace, and what follows them. All have struck before one strikes again."""
    dice = random.Random(seed)
    while True:
        for strike in dice.sample(list(strikes), len(strikes)):
            yield dice.uniform(0, MAX_PAUSE_S), strike

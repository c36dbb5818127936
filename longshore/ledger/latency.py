"""A histogram of durations: each bucket half as wide again as the one before, so a quantile is exact to a fifth."""

import math
from collections.abc import Mapping

FIRST_MS = 10.0
"""Upper bound of the first bucket."""
GROWTH = 1.5
LAST = 40
"""The last bucket, which ends after 30 hours; it takes what lasts longer, too."""


def bucket_of(duration_ms: float) -> int:
    """The number of the bucket for a duration."""
    if duration_ms <= FIRST_MS:
        return 0
    return min(LAST, math.ceil(math.log(duration_ms / FIRST_MS, GROWTH)))


def quantile_ms(counts: Mapping[int, int], share: float) -> float | None:
    """The duration that `share` (0 to 1) of those in `counts` (bucket → how many) did not exceed; None without any."""
    rank = share * sum(counts.values())
    below = 0
    for bucket in sorted(counts):
        if counts[bucket] and below + counts[bucket] >= rank:
            upper = FIRST_MS * GROWTH**bucket
            lower = upper / GROWTH if bucket else 0.0
            return lower + (upper - lower) * (rank - below) / counts[bucket]
        below += counts[bucket]
    return None

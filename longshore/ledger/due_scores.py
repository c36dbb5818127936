"""What the score of a waiting invocation says: when it is due, and whether it is a retry.

First attempts go before late retries, so a retry's score is its due time and the head start of first attempts
(`Limits.late`), and half a ms by which a retry is known. The one place in Python that knows this, as `is_late` and
`due_of` in `scripts/transitions.lua` are the one in Lua.
"""

NEVER_MS = 9e15
"""The score of what waits for its turn in an order (`scripts/order.lua`), as `NEVER` in `scripts/transitions.lua`."""


def due_ms(score: float, late_ms: float) -> float:
    """When an invocation with `score` is due (ms); from 0 to `NEVER_MS`, whatever the score."""
    return min(NEVER_MS, max(0.0, score if score % 1 == 0 else score - 0.5 - late_ms))


def last_due_score(now_ms: float, late_ms: float) -> float:
    """Above the score of all that is due now, and below that of what is due later than a ms from now.

    First attempts that become due within the head start count too: a sorted set tells a number of scores, not of kinds.
    """
    return now_ms + late_ms + 1

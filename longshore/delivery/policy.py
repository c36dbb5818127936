"""When a delivery is tried again, and when it ends.

Full jitter (a uniform draw up to the ceiling of the attempt) keeps a thousand deliveries that failed together from
coming back together. The ceilings grow threefold: with 8 attempts, quick at first for the person who waits, they fill
the hour that the design gives an action run, and with 15 most of the day of a change log event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from longshore.delivery.outcome import Outcome, Verdict
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.kinds import Kind

GROWTH = 3
"""How much higher each attempt's ceiling is than the last."""

UnknownOutcome = Literal["park", "retry"]
"""What an unanswered request means: keep it for a person to decide, or send it again."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, how fast and how long a delivery is attempted.

    `max_attempts` counts the first one too. `base_s` is the ceiling of the first wait and `max_s` that of any.
    `max_age_s`, counted from the first attempt's start, is the latest moment for which another one is planned. What
    then waits for a target that is paused, limited or broken is tried all the same: waiting is no attempt.
    """

    max_attempts: int
    base_s: float
    max_s: float
    max_age_s: float
    unknown_outcome: UnknownOutcome

    def with_overrides(self, delivery: DeliveryOptions) -> "RetryPolicy":
        """This policy with the values that a mapping sets in its place."""
        names = ("max_attempts", "base_s", "max_s", "max_age_s", "unknown_outcome")
        overrides: dict[str, Any] = {name: getattr(delivery, name) for name in names}
        overrides = {name: value for name, value in overrides.items() if value is not None}
        return replace(self, **overrides) if overrides else self


DEFAULTS: Mapping[Kind, RetryPolicy] = MappingProxyType(
    {
        # Ceilings 10, 30, 90, 270, 810, 1200, 1200 s: an hour at the most, half of it on average.
        Kind.ACTION_RUN: RetryPolicy(8, 10, 1_200, 3_600, "park"),
        Kind.NODE_RUN: RetryPolicy(8, 10, 1_200, 3_600, "park"),
        # ... 2430, 7290, then 14400 s seven times: 15 h on average, cut at a day.
        Kind.CHANGE_LOG: RetryPolicy(15, 10, 14_400, 86_400, "retry"),
    }
)
"""What holds unless a setting says otherwise. A person waits for runs; change log events may come late, and twice."""


@dataclass(frozen=True, slots=True)
class Done:
    """Delivered: nothing is left to do."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Attempt it again, not before `delay_s` seconds from now."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Dead:
    """Given up: a dead letter, for the reason of the last attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """It may have run. Kept for a person to decide."""

    reason: str


Step = Done | RetryAfter | Dead | Park
"""What follows an attempt."""


def next_step(outcome: Outcome, attempt: int, age_s: float, policy: RetryPolicy, roll: float) -> Step:
    """What follows the attempt with the number `attempt` (from 1), which ended in `outcome`.

    `age_s` is how long ago the first attempt began, `roll` a random number in [0, 1). A delivery that has used up its
    attempts or its time ends by its last attempt: unknown if that may have run, otherwise dead.
    """
    if outcome.verdict is Verdict.DELIVERED:
        return Done()
    if outcome.verdict is Verdict.GIVE_UP:
        return Dead(outcome.reason)
    if outcome.verdict is Verdict.UNKNOWN and policy.unknown_outcome == "park":
        return Park(outcome.reason)
    delay_s = _compute_delay(outcome.retry_after_s, attempt, policy, roll)
    remaining_s = policy.max_age_s - age_s
    requested_s = min(outcome.retry_after_s or 0.0, policy.max_s)
    if attempt >= policy.max_attempts or remaining_s <= 0 or requested_s > remaining_s:
        return Park(outcome.reason) if outcome.verdict is Verdict.UNKNOWN else Dead(outcome.reason)
    return RetryAfter(min(delay_s, remaining_s))  # a draw beyond the end still gets its last attempt there


def _compute_delay(retry_after_s: float | None, attempt: int, policy: RetryPolicy, roll: float) -> float:
    """The wait in seconds: jittered, at most `max_s`, and below the target's wish only where that is above `max_s`."""
    # The exponent is bounded because no float holds 3 ** 10000.
    ceiling_s = min(policy.base_s * float(GROWTH) ** min(attempt - 1, 50), policy.max_s)
    delay_s = roll * ceiling_s
    if retry_after_s is not None:
        # A little on top: otherwise all deliveries with the same Retry-After would come back in the same moment.
        delay_s = max(delay_s, retry_after_s + roll * policy.base_s)
    return min(delay_s, policy.max_s)

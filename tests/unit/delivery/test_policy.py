"""When a delivery is tried again, and when it ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery import DEFAULTS, Dead, Done, Outcome, Park, RetryAfter, RetryPolicy, Verdict, next_step
from longshore.delivery.outcome import classify_status
from longshore.invocation.kinds import Kind

PARK = RetryPolicy(max_attempts=4, base_s=10, max_s=100, max_age_s=1_000, unknown_outcome="park")
RETRY = RetryPolicy(max_attempts=4, base_s=10, max_s=100, max_age_s=1_000, unknown_outcome="retry")


def outcome_of(verdict: Verdict, retry_after_s: float | None = None) -> Outcome:
    """The outcome of some attempt."""
    return Outcome(verdict, True, "http_599", "it did something", retry_after_s=retry_after_s)


def test_what_is_delivered_is_done() -> None:
    """However often it took."""
    assert Done() == next_step(outcome_of(Verdict.DELIVERED), 99, 1e9, PARK, 0.5)


def test_what_is_refused_for_good_is_dead_at_once() -> None:
    """Sending it again cannot help."""
    assert Dead("http_599") == next_step(outcome_of(Verdict.GIVE_UP), 1, 0, PARK, 0.5)


def test_what_may_have_run_is_parked_or_repeated_as_the_policy_says() -> None:
    """A run is for a person to decide; a change log event may come twice."""
    assert Park("http_599") == next_step(outcome_of(Verdict.UNKNOWN), 1, 0, PARK, 0.5)
    assert RetryAfter(5) == next_step(outcome_of(Verdict.UNKNOWN), 1, 0, RETRY, 0.5)


@pytest.mark.parametrize(("attempt", "age_s"), [(4, 0), (5, 0), (1, 1_000), (1, 2_000)])
def test_the_end_is_what_the_last_attempt_left(attempt: int, age_s: float) -> None:
    """Used up by count or by age: dead, but never what may have run."""
    assert Dead("http_599") == next_step(outcome_of(Verdict.RETRY), attempt, age_s, PARK, 0.5)
    assert Park("http_599") == next_step(outcome_of(Verdict.UNKNOWN), attempt, age_s, RETRY, 0.5)


def test_ceilings_grow_threefold_up_to_the_highest() -> None:
    """The draw is uniform below them: full jitter."""
    steps = [
        next_step(outcome_of(Verdict.RETRY), n, 0, RetryPolicy(9, 10, 100, 1_000, "park"), 0.999) for n in (1, 2, 3, 4)
    ]

    assert [10, 30, 90, 100] == [round(step.delay_s) for step in steps if isinstance(step, RetryAfter)]
    assert RetryAfter(0) == next_step(outcome_of(Verdict.RETRY), 3, 0, PARK, 0)


def test_the_last_attempt_comes_no_later_than_the_oldest_age() -> None:
    """A draw beyond the end is drawn in, and not the end."""
    assert RetryAfter(5) == next_step(outcome_of(Verdict.RETRY), 3, 995, PARK, 0.9)


@given(
    attempt=st.integers(1, 3),
    roll=st.floats(0, 1, exclude_max=True),
    requested_s=st.floats(0, 1e9),
    age_s=st.floats(0, 1_000),
)
def test_a_target_is_left_alone_for_as_long_as_it_asks(
    attempt: int, roll: float, requested_s: float, age_s: float
) -> None:
    """Never sooner, unless it asks for more than the highest wait, and never beyond the delivery's age."""
    step = next_step(outcome_of(Verdict.RETRY, requested_s), attempt, age_s, PARK, roll)

    if isinstance(step, RetryAfter):
        assert min(requested_s, PARK.max_s) <= step.delay_s <= PARK.max_s
        assert age_s + step.delay_s <= PARK.max_age_s + 1e-6
    else:
        assert Dead("http_599") == step
        assert age_s + min(requested_s, PARK.max_s) >= PARK.max_age_s - 1e-6


@given(attempt=st.integers(1, 1_000_000), roll=st.floats(0, 1, exclude_max=True))
def test_no_wait_exceeds_the_highest(attempt: int, roll: float) -> None:
    """However many attempts have failed."""
    policy = RetryPolicy(10_000_000, 5, 300, 1e12, "retry")

    step = next_step(outcome_of(Verdict.RETRY), attempt, 0, policy, roll)

    assert isinstance(step, RetryAfter)
    assert 0 <= step.delay_s <= 300


@pytest.mark.parametrize(
    ("kind", "attempts", "longest_s", "unknown"),
    [
        (Kind.ACTION_RUN, 8, 3_600, "park"),
        (Kind.NODE_RUN, 8, 3_600, "park"),
        (Kind.CHANGE_LOG, 15, 86_400, "retry"),
    ],
)
def test_by_default_a_run_has_an_hour_and_an_event_a_day(
    kind: Kind, attempts: int, longest_s: float, unknown: str
) -> None:
    """The attempts are spread over that time, and do not end long before it."""
    policy = DEFAULTS[kind]
    age_s, count = 0.0, 1
    while isinstance(step := next_step(outcome_of(Verdict.RETRY), count, age_s, policy, 0.9), RetryAfter):
        age_s, count = age_s + step.delay_s, count + 1

    assert (attempts, unknown) == (policy.max_attempts, policy.unknown_outcome)
    assert longest_s * 0.6 < age_s <= longest_s


def test_every_status_has_its_class() -> None:
    """Below 400 delivered; unknown where a gateway speaks; again where the target says so; the rest final."""
    classes = {status: classify_status(status)[0] for status in range(100, 1_000)}
    unknown = {502, 504, 520, 521, 522, 523, 524, 525, 526, 527, 528, 529, 598, 599}

    assert {Verdict.DELIVERED} == {classes[status] for status in range(100, 400)}
    assert unknown == {status for status in classes if classes[status] is Verdict.UNKNOWN}
    assert {408, 425, 429} == {status for status in range(400, 500) if classes[status] is Verdict.RETRY}
    assert {501, 505} == {status for status in range(500, 600) if classes[status] is Verdict.GIVE_UP}
    assert {Verdict.GIVE_UP} == {classes[status] for status in range(600, 1_000)}

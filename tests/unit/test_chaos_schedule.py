"""A seed of `make chaos` gives the same faults in the same order, so that what it found can be had again."""

from itertools import islice

from tests.chaos.schedule import schedule
from tests.support.strikes.catalog import STRIKES


def test_a_seed_gives_one_schedule_in_which_every_fault_strikes() -> None:
    """Before any strikes again; another seed gives another."""
    first, again, other = (list(islice(schedule(STRIKES, seed), 2 * len(STRIKES))) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {strike.name for strike in STRIKES} == {strike.name for _, strike in first[: len(STRIKES)]}

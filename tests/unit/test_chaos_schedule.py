"""A seed of `make chaos` gives the same faults in the same order, so that what it found can be had again."""

from itertools import islice

from tests.chaos.__main__ import suitable
from tests.chaos.schedule import schedule
from tests.support.strikes.catalog import STRIKES
from tests.support.strikes.kills import KILLS


def test_a_seed_gives_one_schedule_in_which_every_fault_strikes() -> None:
    """Before any strikes again; another seed gives another."""
    first, again, other = (list(islice(schedule(STRIKES, seed), 2 * len(STRIKES))) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {strike.name for strike in STRIKES} == {strike.name for _, strike in first[: len(STRIKES)]}


def test_where_runs_are_polled_nothing_of_kafka_strikes() -> None:
    """It would cost time and show nothing; kills strike there as well."""
    names = {strike.name for strike in suitable(polling=True)}
    assert not [name for name in names if "Kafka" in name]
    assert {strike.name for strike in KILLS} <= names

"""Ids: the same at each reading, fit for Redis, Celery and log lines, and not to be claimed by a forger."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation import ids


def test_ports_own_run_ids_are_kept() -> None:
    """So that Flower's search finds a run by the id people know."""
    assert ids.run_id("r_Q1w2E3r4T5y6U7i8") == "r_Q1w2E3r4T5y6U7i8"


@given(st.text(min_size=1))
def test_every_id_is_short_plain_text(run: str) -> None:
    """Whatever a run id is made of, no key, task id or log line is broken by it."""
    id = ids.run_id(run)

    assert id.isascii()
    assert id.isprintable()
    assert " " not in id
    assert 1 <= len(id) <= 200


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_runs_have_different_ids(one: str, other: str) -> None:
    """Two runs never share a record."""
    assert (ids.run_id(one) == ids.run_id(other)) == (one == other)


def test_a_run_id_of_more_than_200_characters_is_hashed() -> None:
    """A key of a megabyte is nothing for Redis to carry around."""
    assert ids.run_id("r" * 200) == "r" * 200
    assert ids.run_id("r" * 201).startswith("x-")


def test_an_event_is_known_by_its_record() -> None:
    """It has no id of its own."""
    assert ids.event_id("org.change.log.3.17.1767225600123") == "cl.org.change.log.3.17.1767225600123"


def test_what_is_not_proven_to_come_from_port_never_takes_a_run_id() -> None:
    """Otherwise a forged message could stand in the way of the real run that comes after it."""
    assert ids.refused_id("org.runs.0.1.2") == "bad.org.runs.0.1.2"

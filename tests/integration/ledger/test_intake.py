"""An operator stops intake: the ledger itself takes nothing more, whoever asks it to."""

import pytest

from longshore.errors import IntakeStopped
from longshore.ledger.entry import OffsetRange
from longshore.ledger.intake import read_stop, resume_intake, stop_intake
from longshore.ledger.ledger import Ledger
from longshore.ledger.partition_offsets import read_partition_offsets
from tests.integration.ledger.conftest import entry, span, state, store


def test_a_stopped_ledger_accepts_nothing_and_moves_no_offset(ledger: Ledger) -> None:
    """Neither invocations nor messages that make none: an offset that moves would be committed."""
    store(ledger, entry("before"))
    stop_intake(ledger, "dana")

    for range, entries in ((span(1, 2), [entry("after", offset=1)]), (span(1, 2, not_for_agent=1), [])):
        with pytest.raises(IntakeStopped):
            ledger.accept([range], entries)
    with pytest.raises(IntakeStopped):  # a source without offsets
        ledger.accept([], [entry("polled", origin="polling/r_1")])
    with pytest.raises(IntakeStopped):  # nor a rebuild
        ledger.accept([OffsetRange("org_1.runs", 0, 0, 2, mode="replay")], [])

    assert [state(ledger, id) for id in ("before", "after", "polled")] == ["waiting", "", ""]
    assert read_partition_offsets(ledger, [("org_1.runs", 0)]).next == {("org_1.runs", 0): 1}


def test_a_stopped_ledger_still_hands_out_what_it_has(ledger: Ledger) -> None:
    """Ingest asks it where it stands, and so claims what may start while no batch does."""
    store(ledger, entry("before"))
    stop_intake(ledger, "dana")

    accepted = ledger.accept([span(1, 1, expected=1)], [])

    assert [claim.id for claim in accepted.claims] == ["before"]


def test_it_goes_on_where_it_was_stopped(ledger: Ledger) -> None:
    """The batch that was refused is accepted, once."""
    stop_intake(ledger, "dana")
    with pytest.raises(IntakeStopped):
        ledger.accept([span(0, 1)], [entry("a")])
    resume_intake(ledger)

    assert ledger.accept([span(0, 1)], [entry("a")]).results == ("accepted",)
    assert read_stop(ledger) is None


def test_the_first_stop_counts(ledger: Ledger) -> None:
    """So whoever stops again learns since when nothing is read."""
    first = stop_intake(ledger, "dana")

    assert stop_intake(ledger, "levi") == first == read_stop(ledger)
    assert first.by == "dana"


def test_intake_can_be_stopped_while_redis_is_full(ledger: Ledger) -> None:
    """That may be why somebody stops it."""
    store(ledger, entry("a"))
    used = ledger.redis.info("memory")["used_memory"]
    ledger.redis.config_set("maxmemory", used)
    ledger.redis.config_set("maxmemory-policy", "noeviction")
    try:
        stop_intake(ledger, "dana")
    finally:
        ledger.redis.config_set("maxmemory", 0)

    assert ledger.is_intake_stopped()

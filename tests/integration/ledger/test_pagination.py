"""Pages of dead letters: complete, in order, and at a cost that does not grow with their number."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import redis

from longshore.invocation.kinds import Kind
from longshore.ledger.entry import Entry, OffsetRange
from longshore.ledger.invocations import InvocationReader, InvocationRecord
from longshore.ledger.ledger import Ledger
from longshore.ledger.pagination import PageReader
from longshore.ledger.scan import Filter
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.operations.ledger_access import LedgerAccess

from .conftest import entry

ACTIONS = ("deploy", "restart")


SEALER = Sealer("secret")


@pytest.fixture
def letters(ledger: Ledger) -> InvocationReader:
    return LedgerAccess.build(ledger, SEALER).invocations


@pytest.fixture
def pages(ledger: Ledger) -> PageReader:
    return LedgerAccess.build(ledger, SEALER).pages


def fill(ledger: Ledger, count: int, name: str = "r", **more: Any) -> list[str]:
    """Dead letters, of which hundreds have ended in the same ms."""
    ids = [f"{name}_{number:05}" for number in range(count)]
    for start in range(0, count, 500):
        batch: list[Entry] = []
        for number, id in enumerate(ids[start : start + 500]):
            given = {"dead": "http_404" if number % 3 else "http_500", "target": "http://a:80"} | more
            given.setdefault("lane", f"{given['target']} {ACTIONS[number % 2]}")
            batch.append(entry(id, offset=start + number, **given))
        ledger.accept([OffsetRange("org_1.runs", 0, start, start + len(batch), mode="replay")], batch, 0)
    return ids


def unknown(ledger: Ledger, id: str, ended_ms: int) -> None:
    """Makes a dead letter an unknown outcome, as finish would."""
    keys = ledger.keys
    ledger.redis.zrem(keys.dead, id)
    ledger.redis.zadd(keys.unknown, {id: ended_ms})
    ledger.redis.hset(keys.invocation(id), mapping={"state": "unknown", "ended": ended_ms})


def walk(pages: PageReader, wanted: Filter, size: int) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        page = pages.page(wanted, after, size)
        assert len(page.records) <= size
        found += [letter.id for letter in page.records]
        if not page.after:
            return found
        after = page.after


@pytest.mark.parametrize("size", [7, 50, 1000])
def test_walking_through_the_pages_meets_each_letter_once_newest_first(
    ledger: Ledger, pages: PageReader, size: int
) -> None:
    """Dead letters and unknown outcomes in one order, also those of the same ms."""
    ids = fill(ledger, 600)
    listed: Any = ledger.redis.zrange(ledger.keys.dead, 0, -1, withscores=True)
    scores = {id.decode(): int(score) for id, score in listed}
    for id in ids[::5]:
        unknown(ledger, id, scores[id])

    found = walk(pages, Filter(), size)

    assert sorted(ids, key=lambda id: (scores[id], id), reverse=True) == found


def test_a_page_costs_the_same_however_many_letters_there_are(ledger: Ledger, pages: PageReader) -> None:
    """Counted in records looked at, by Redis itself: the last page too."""
    fill(ledger, 6_000)
    after = ""
    for _ in range(100):
        after = pages.page(Filter(), after, 50).after

    ledger.redis.config_resetstat()
    page = pages.page(Filter(), after, 50)

    looked: Any = ledger.redis.info("commandstats")["cmdstat_hmget"]
    assert 50 == len(page.records)
    assert looked["calls"] <= 200


Fits = Callable[[InvocationRecord], bool]


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Filter(), lambda letter: True),
        (Filter(reason="http_500"), lambda letter: letter.reason == "http_500"),
        (
            Filter(target="https://b:443", lane="restart"),
            lambda letter: (letter.target, letter.action) == ("https://b:443", "restart"),
        ),
        (Filter(lane="http://a:80 deploy"), lambda letter: letter.lane == "http://a:80 deploy"),
        (Filter(lane="deploy"), lambda letter: letter.lane.endswith(" deploy")),
        (Filter(kind="node_run"), lambda letter: letter.kind == "node_run"),
        (Filter(states=(State.UNKNOWN,)), lambda letter: letter.id == "r_00003"),
        (Filter(until_ms=1_700_000_000_001), lambda letter: letter.id == "r_00003"),
        (Filter(since_ms=1_700_000_000_001), lambda letter: letter.id != "r_00003"),
        (Filter(text="r_001"), lambda letter: "r_001" in letter.id),
        (Filter(run="r_00042"), lambda letter: letter.id == "r_00042"),
    ],
)
def test_filters_take_what_they_name_on_pages_in_lists_and_in_counts(
    ledger: Ledger, pages: PageReader, letters: InvocationReader, wanted: Filter, fits: Fits
) -> None:
    """By reason, target, action, lane, kind, state, time, text and run."""
    ids = [*fill(ledger, 300), *fill(ledger, 100, "other", target="https://b:443")]
    ids += fill(ledger, 10, "node", kind=Kind.NODE_RUN)
    unknown(ledger, "r_00003", 1_700_000_000_000)
    expected = {letter.id for letter in letters.read(ids) if fits(letter)}

    assert expected
    assert sorted(expected) == sorted(letter.id for letter in letters.find(wanted))
    assert sorted(expected) == sorted(walk(pages, wanted, 40))
    assert Counter((one.state, one.reason) for one in letters.read(sorted(expected))) == letters.count(wanted)


def test_going_through_all_meets_each_once_while_others_leave(ledger: Ledger, letters: InvocationReader) -> None:
    """Somebody requeues what was just read, ms after ms: nothing that stays is skipped, or met twice."""
    ids = fill(ledger, 3_000)
    found = []
    for number, letter in enumerate(letters.find(Filter())):
        found.append(letter.id)
        if number % 500 in (7, 499):
            ledger.redis.zrem(ledger.keys.dead, letter.id)

    assert sorted(ids) == sorted(found)


def test_letters_come_with_their_histories(ledger: Ledger, letters: InvocationReader) -> None:
    """Each its own, also where the text is looked for in them."""
    fill(ledger, 1_200)
    for number in (0, 600, 1199):
        entry = json.dumps({"cause": f"number {number}"}).encode()
        ledger.redis.rpush(ledger.keys.attempts(f"r_{number:05}"), SEALER.seal(entry))

    told = {letter.id: history for letter, history in letters.find_with_history(Filter())}
    assert (1_200, [{"cause": "number 600"}], []) == (len(told), told["r_00600"], told["r_00001"])
    assert ["r_01199"] == [letter.id for letter, _ in letters.find_with_history(Filter(text="number 1199"))]


def test_a_page_goes_on_although_its_last_letter_has_left(ledger: Ledger, pages: PageReader) -> None:
    """Somebody has requeued it: none is left out."""
    ids = fill(ledger, 200)
    first = pages.page(Filter(), "", 50)
    ledger.redis.zrem(ledger.keys.dead, first.records[-1].id)

    rest = []
    after = first.after
    while after:
        page = pages.page(Filter(), after, 50)
        rest += [letter.id for letter in page.records]
        after = page.after

    assert set(ids) - {letter.id for letter in first.records} <= set(rest)


@pytest.mark.parametrize("after", ["x", "1-", "-", "9" * 30 + "-a", "1-\ud800"])
def test_a_place_that_makes_no_sense_is_the_beginning_or_nothing(ledger: Ledger, pages: PageReader, after: str) -> None:
    """It comes from a URL."""
    fill(ledger, 3)

    assert len(pages.page(Filter(), after).records) in (0, 3)


def test_what_was_refused_under_a_run_id_is_found_by_it(ledger: Ledger, letters: InvocationReader) -> None:
    """It has an id of its own, as nobody knows whether it is that run."""
    fill(ledger, 3)
    ledger.accept(
        [OffsetRange("org_1.runs", 0, 9, 10, mode="replay")],
        [entry("bad.org_1.runs.0.9.1", run="r_x", dead="bad_signature")],
    )

    assert ["bad.org_1.runs.0.9.1"] == [letter.id for letter in letters.find(Filter(run="r_x"), newest_only=True)]


def test_half_characters_are_looked_for_like_others(ledger: Ledger, letters: InvocationReader) -> None:
    """A run id may be any JSON text."""
    fill(ledger, 1, run="r_\udcff", target="http://\u05e9:80")

    assert 1 == len(list(letters.find(Filter(run="r_\udcff"))))
    assert 1 == sum(letters.count(Filter(target="http://\u05e9:80")).values())


def test_looking_changes_nothing(
    ledger: Ledger, pages: PageReader, letters: InvocationReader, client: "redis.Redis"
) -> None:
    """Not even the clock."""
    fill(ledger, 10)
    before = {key: client.dump(key) for key in client.scan_iter()}
    pages.page(Filter(), "", 5)
    letters.count(Filter())
    list(letters.find_with_history(Filter()))

    assert before == {key: client.dump(key) for key in client.scan_iter()}

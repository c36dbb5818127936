"""The tab of targets lists what was busy in the last day, and says what it leaves out."""

import pytest
import redis

from config.settings import load
from longshore.dashboard.context import DashboardContext
from longshore.dashboard.target_overview import MAX_IDLE_TARGETS, read_table
from longshore.ledger.activity import HOUR_MS, target_field
from longshore.ledger.known_names import MAX_NAMES
from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.programs import SETTINGS


@pytest.mark.usefixtures("redis_client")
def test_targets_that_are_well_are_listed_up_to_a_bound(shared_redis: EmbeddedRedis) -> None:
    """The busiest ones; one that an operator holds back is there however little it got."""
    context = DashboardContext.open(load(SETTINGS | {"REDIS_URL": shared_redis.url}))
    ledger, counts = context.access.ledger, {}
    for number in range(MAX_IDLE_TARGETS + 20):
        counts[target_field(f"t{number:03}", State.DONE)] = 1 + number
    counts |= {target_field("t519", State.DEAD): 7, target_field("", State.DONE): 5}
    hour = ledger.clock_ms() // HOUR_MS
    fields: dict[str, dict[str, int]] = {ledger.keys.activity(f"h:{hour}"): counts}
    fields[ledger.keys.activity(f"h:{hour - 2}")] = {target_field("t519", State.DONE): 1000}
    for key, values in fields.items():
        add_all(ledger.redis, key, values)
    context.access.targets.set("t000", "", TargetControl(paused=True))
    context.access.targets.set("t001", "t001 deploy", TargetControl(paused=True))

    table = read_table(context)
    context.close()

    targets = [row for row in table.rows if row.day]
    assert [f"t{number:03}" for number in (0, 1, *range(20, 520))] == [row.status.target for row in targets]
    assert (18, 5) == (table.idle_left_out, table.others.delivered)
    assert (1520, 7) == (targets[-1].as_json()["delivered_last_day"], targets[-1].as_json()["failed_last_day"])
    assert ["t000", "t001", "t001 deploy"] == [row.status.lane or row.status.target for row in table.rows[:3]]


@pytest.mark.usefixtures("redis_client")
def test_of_targets_that_wait_it_is_said_how_many_are_left_out(shared_redis: EmbeddedRedis) -> None:
    """Those whose turn is first are read."""
    context = DashboardContext.open(load(SETTINGS | {"REDIS_URL": shared_redis.url}))
    ledger = context.access.ledger
    ledger.redis.zadd(ledger.keys.targets, {f"http://t{number}:80": number for number in range(MAX_NAMES + 30)})

    table = read_table(context)
    context.close()

    assert MAX_NAMES == len([row for row in table.rows if row.status.target.startswith("http://t")])
    assert 30 == table.waiting_left_out


@pytest.mark.usefixtures("redis_client")
def test_pages_of_targets_have_each_row_once_and_begin_with_their_target(shared_redis: EmbeddedRedis) -> None:
    """Busy, held back and idle ones by name; the row of a target stands again above what is left of its lanes."""
    context = DashboardContext.open(load(SETTINGS | {"REDIS_URL": shared_redis.url}))
    ledger = context.access.ledger
    for number in range(5):
        context.access.targets.set("t2", f"t2 action{number}", TargetControl(concurrency=1))
    context.access.targets.set("t4", "", TargetControl(paused=True))
    counts = {target_field(f"t{number}", State.DONE): 1 for number in (1, 2, 3, 5)}
    add_all(ledger.redis, ledger.keys.activity(f"h:{ledger.clock_ms() // HOUR_MS}"), counts)

    pages: list[list[str]] = []
    after = ""
    while not pages or after:
        table = read_table(context, after, 4)
        pages.append([row.status.lane or row.status.target for row in table.rows])
        after = table.after
    whole = [row.status.lane or row.status.target for row in read_table(context).rows]
    context.close()

    assert [
        ["t1", "t2", "t2 action0", "t2 action1"],
        ["t2", "t2 action2", "t2 action3", "t2 action4"],
        ["t3", "t4", "t5"],
    ] == pages
    assert list(dict.fromkeys(name for page in pages for name in page)) == whole


@pytest.mark.usefixtures("redis_client")
def test_a_page_reads_no_other_targets_than_its_own(shared_redis: EmbeddedRedis) -> None:
    """So it costs as much with a thousand as with a hundred."""
    context = DashboardContext.open(load(SETTINGS | {"REDIS_URL": shared_redis.url}))
    ledger = context.access.ledger
    ledger.redis.zadd(ledger.keys.targets, {f"http://t{number:03}:80": number for number in range(MAX_NAMES)})

    def count_calls(size: int | None) -> int:
        before = ledger.redis.info("stats")["total_commands_processed"]
        read_table(context, "", size)
        return int(ledger.redis.info("stats")["total_commands_processed"] - before)

    of_page, of_all = count_calls(10), count_calls(None)
    context.close()

    assert of_page < of_all / 10


def add_all(client: "redis.Redis", key: str, values: dict[str, int]) -> None:
    """What heartbeats of many hours left."""
    with client.pipeline() as pipe:
        for field, number in values.items():
            pipe.hincrby(key, field, number)
        pipe.execute()

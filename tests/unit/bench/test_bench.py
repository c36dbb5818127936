"""The arithmetic of the bench, and that its goals are those that the documents name."""

import re
from pathlib import Path

import pytest

from bench import costs, instructions, latency, results, size, start, throughput
from bench.__main__ import GROUPS
from bench.cost import Cost, Reading
from bench.costs import Chunk, summarize
from bench.goals import GOALS, ROWS, Goal
from bench.machine import describe
from bench.measure import Measure, number, percentile
from bench.messages import BODY_BYTES, KINDS, SECRET
from bench.model import Costs, flight_needed, lane_rate, report
from bench.results import Results, plain_table, rows
from longshore.invocation.classify import classify_message
from longshore.invocation.stream import Stream

ROOT = Path(__file__).resolve().parents[3]
CAPACITY = ROOT / "docs" / "explanation" / "capacity.md"
README = ROOT / "README.md"
MACHINE = {"cores": "2", "load before": "0.10"}


def chunk(count: int, worker_s: float, post_s: float, kind: str = "event") -> Chunk:
    cpu_s = {"ingest": 0.1, "worker": worker_s, "redis": 0.1}
    return Chunk(kind, count, 2.0, Cost(cpu_s, trips=30, switches=400, port_calls=2 * count), post_s)


def test_posts_are_the_cpu_of_all_parts_in_multiples_of_a_plain_post() -> None:
    assert chunk(1000, 0.8, 0.0005).posts == pytest.approx(2.0)


def test_a_run_counts_by_its_median_chunk_and_the_row_by_its_median_run() -> None:
    steady = [chunk(1000, 0.8, 0.0005)] * 4
    disturbed = chunk(1000, 9.8, 0.0005)

    found = {measure.name: measure for measure in summarize("event", [[*steady, disturbed], steady, [disturbed] * 3])}

    assert list(found["event"].values) == pytest.approx([2.0, 2.0, 20.0])
    assert found["event"].median == pytest.approx(2.0)
    assert found["event_trips"].median == pytest.approx(0.03)
    assert found["event_switches"].median == pytest.approx(0.4)
    assert "2.0 Port calls" in found["event"].note


def test_a_cost_is_what_came_between_two_readings_without_the_looking() -> None:
    """A thread that is new since counts from its start."""
    before = Reading({"worker": 1.0, "redis": 2.0}, trips=100, switches={7: 50}, port_calls=3)
    after = Reading({"worker": 1.5, "redis": 2.25}, trips=160, switches={7: 60, 8: 5}, port_calls=9)

    cost = after.since(before, own_trips=20)

    assert cost == Cost({"worker": 0.5, "redis": 0.25}, trips=40, switches=15, port_calls=6)
    assert cost.total_s == 0.75


@pytest.mark.parametrize(
    ("percent", "value"), [(50, 500), (99, 990), (100, 1000), (0, 1)], ids=["p50", "p99", "all", "least"]
)
def test_a_percentile_is_a_value_that_was_measured(percent: int, value: int) -> None:
    assert percentile(range(1000, 0, -1), percent) == value


def test_figures_have_three_digits() -> None:
    assert [number(value) for value in (1234.5, 99.94, 9.994, 0.301)] == ["1,234", "99.9", "9.99", "0.30"]
    assert Measure("x", [3.0, 1.0, 2.0]).text() == "2.00 (1.00 to 3.00)"


def test_a_goal_is_met_from_its_own_side() -> None:
    most, least = Goal("r", "m", "", "", 10), Goal("r", "l", "", "", 10, at_least=True)

    assert (most.is_met(10, 2), most.is_met(10.1, 2)) == (True, False)
    assert (least.is_met(10, 2), least.is_met(9.9, 2)) == (True, False)
    assert Goal("r", "o", "", "").is_met(1, 2) is None


def test_two_workers_are_not_judged_where_no_core_is_left() -> None:
    (goal,) = [goal for goal in GOALS if goal.name == "workers"]

    assert goal.is_met(1.1, 2) is None
    assert goal.is_met(1.1, 8) is False


def test_every_row_is_measured_by_one_group() -> None:
    assert sorted(ROWS) == sorted(row for group in GROUPS for row in group.ROWS)
    assert {costs, latency, size, start, throughput} < set(GROUPS)
    assert len({goal.name for goal in GOALS}) == len(GOALS)


def test_the_page_has_the_goals_of_the_code() -> None:
    """`docs/explanation/capacity.md` has a table of them."""
    table = re.findall(r"^\| ([^|]+) \| ([^|]*) \| ([≤≥][^|]*) \|$", CAPACITY.read_text(), re.MULTILINE)

    assert table == [(goal.text, goal.unit, goal.limit_text()) for goal in GOALS if goal.limit is not None]


def test_the_figures_of_the_readme_are_those_of_the_last_results() -> None:
    """Rounded, by five percent at most: whoever runs `make bench` looks at the README too."""
    pattern = r"delivers ([\d,]+) events a second, .* within ([\d.]+) ms \(median\) .* takes (\d+) MB"
    figures = re.search(pattern, README.read_text(), re.DOTALL)
    now = Results.load(results.NOW)

    assert figures is not None
    for figure, name in zip(figures.groups(), ("rate", "latency_p50", "idle"), strict=True):
        assert float(figure.replace(",", "")) == pytest.approx(now.measures[name].median, rel=0.05), name


def test_the_table_shows_before_now_and_whether_the_goal_is_met(tmp_path: Path) -> None:
    now = Results({}, {})
    now.add(Measure("event", [1.7, 1.6, 1.9], "a note"), MACHINE)
    before = Results({"event": Measure("event", [6.2])}, {"event": MACHINE})

    (row,) = rows(before, now, ["event"])

    assert row[1:] == ("posts", "≤ 1.8, then 1.4", "6.20", "1.70 (1.60 to 1.90)", "yes")
    assert plain_table([row]).splitlines()[1].endswith("yes")
    assert "a note" in results.page(before, now)
    assert len(rows(before, now)) == len(GOALS)


def test_results_outlast_the_process_and_rows_that_were_not_measured_stay(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    first = Results.load(path)
    first.add(Measure("start", [2.0]), MACHINE)
    first.add(Measure("event", [1.7]), MACHINE)
    first.save(path)

    second = Results.load(path)
    second.add(Measure("event", [1.5], "again"), MACHINE | {"load before": "9"})

    assert second.measures == {"start": Measure("start", [2.0]), "event": Measure("event", [1.5], "again")}
    assert (second.machines["start"], second.machines["event"]["load before"]) == (MACHINE, "9")


@pytest.mark.parametrize("kind", KINDS)
def test_messages_are_ours_signed_and_of_one_size(kind: str) -> None:
    stream = Stream.CHANGE_LOG if kind == "event" else Stream.RUNS

    value = KINDS[kind]("r_bench1_0000001", "http://127.0.0.1:1/hook")

    assert BODY_BYTES <= len(value) < BODY_BYTES + 200  # a signature comes on top
    assert getattr(classify_message(value, stream, [SECRET]), "synchronized", None) is (kind == "sync")


def test_the_model_is_of_cores() -> None:
    """Ten posts of 0.5 ms in the worker: a core does 200 of them in a second."""
    cost = Costs.parse("ingest 0.20, worker 10.00, redis 1.00; 0.0 Port calls; a post 0.50 ms")

    assert cost.per_core("worker") == pytest.approx(200)
    assert cost.fleet_rate(workers=4, ingests=1) == pytest.approx(800)
    assert cost.fleet_rate(workers=40, ingests=1) == pytest.approx(2000)  # Redis
    assert cost.rate_on(1) == pytest.approx(1000 / 5.6)
    assert cost.rate_on(2) == pytest.approx(200)
    assert (flight_needed(100, 2.5), lane_rate(2)) == (250, 25)


def test_the_model_stands_beside_what_was_measured() -> None:
    note = "ingest 0.20, worker 10.00, redis 1.00; a post 0.50 ms"
    found = Results({}, {})
    found.add(Measure("event", [11.2], note), MACHINE)
    found.add(Measure("rate", [150.0]), MACHINE)

    assert "model 200 events/s, measured 150/s (75% of it)" in report(found)
    assert "make bench" in report(Results({}, {}))


def test_the_machine_is_described() -> None:
    assert {"cpu", "cores", "python", "redis", "load before"} <= describe().keys()


def test_instructions_are_those_of_all_dumps(tmp_path: Path) -> None:
    """Callgrind writes a file for each dump, with the sum of what came since the one before."""
    (tmp_path / "callgrind.out").touch()
    for dump, total in ((1, 1000), (2, 234)):
        (tmp_path / f"callgrind.out.{dump}").write_text(f"events: Ir\nfn=(1)\n1 5\ntotals: {total}\n")

    assert instructions.read_total(tmp_path) == 1234

"""What a chart draws, and the table beside it says, is what happened."""

from collections import Counter

import pytest

from longshore.dashboard.charts import HEIGHT, LEAST, Chart, build_charts
from longshore.dashboard.formatting import format_latency, format_share
from longshore.ledger.activity import MINUTE_MS, Span
from longshore.ledger.latency import bucket_of

NOON_MS = 1_767_268_800_000


def charts(*spans: Span) -> dict[str, Chart]:
    return {chart.name: chart for chart in build_charts(spans)}


def heights(chart: Chart) -> list[dict[str, float]]:
    return [{part.series: part.height for part in bar.segments} for bar in chart.bars]


def test_a_bar_is_as_high_as_its_number_and_stands_on_the_ground() -> None:
    """Of what the scale says; failures stand on what was delivered, and are seen however few they are."""
    drawn = charts(Span(NOON_MS, 9, delivered=7_000, dead=1), Span(NOON_MS + MINUTE_MS, delivered=800, unknown=200))
    throughput = drawn["throughput"]

    assert "8,000" == throughput.top
    assert [{"delivered": 87.5, "dead": LEAST}, {"delivered": 10.0, "unknown": 2.5}] == heights(throughput)
    for bar in throughput.bars:
        bottoms = [part.y + part.height for part in bar.segments]
        assert [HEIGHT, *(part.y for part in bar.segments[:-1])] == pytest.approx(bottoms)
    assert {"delivered": HEIGHT - LEAST, "dead": LEAST} == heights(drawn["success"])[0]
    assert {"delivered": 80.0, "dead": 20.0} == pytest.approx(heights(drawn["success"])[1])


def test_the_table_says_the_same_the_newest_first() -> None:
    """Without the times at which nothing happened, which the chart shows as gaps."""
    slow = Counter([bucket_of(100)] * 90 + [bucket_of(3_000)] * 10)
    drawn = charts(Span(NOON_MS, delivered=3), Span(NOON_MS + MINUTE_MS), Span(NOON_MS + 2 * MINUTE_MS, 100, 99, 1,
                                                                              latencies=slow))  # fmt: skip
    assert ["12:02", "12:00"] == [start for start, _ in drawn["throughput"].rows]
    assert ["99 %", "100"] == drawn["success"].rows[0][1]
    assert drawn["latency"].rows[0][1][1].endswith(" s")
    assert "12:02: Success rate 99 %, Ended 100" == drawn["success"].bars[2].text
    assert [] == drawn["throughput"].bars[1].segments


def test_nothing_is_drawn_where_nothing_ended() -> None:
    """And no number is made up."""
    for chart in build_charts([Span(NOON_MS), Span(NOON_MS + MINUTE_MS, accepted=1)]):
        assert "" == chart.top
        assert [{}, {}] == heights(chart)
    assert ("–", "–") == (format_share(None), format_latency(None))


@pytest.mark.parametrize(("share", "text"), [(1.0, "100 %"), (0.99999, "99.9 %"), (0.5, "50 %"), (0.0, "0 %")])
def test_one_hundred_percent_leaves_nothing_out(share: float, text: str) -> None:
    """Rounded up, a failure among ten thousand would vanish."""
    assert text == format_share(share)


@pytest.mark.parametrize(("ms", "text"), [(38.2, "38 ms"), (2_700, "2.7 s"), (45_000, "45 s"), (7_300_000, "2 h")])
def test_a_latency_has_the_unit_that_fits(ms: float, text: str) -> None:
    """From milliseconds to hours."""
    assert text == format_latency(ms)

"""What a soak says of its curves."""

import xml.etree.ElementTree

from bench.soak_curves import Curves
from bench.soak_picture import draw


def test_what_rises_after_the_warm_up_grows_and_what_has_only_warmed_up_is_flat() -> None:
    """A slope in units an hour; the picture names both."""
    curves = Curves()
    for minute in range(61):
        curves.add(minute * 60.0, {"worker 1: MiB": 80 + minute / 2, "redis: keys": min(3900.0, minute * 1000)})
    slopes = curves.slopes()

    assert ("grows", 30) == (slopes["worker 1: MiB"].verdict, round(slopes["worker 1: MiB"].per_hour))
    assert 98 <= slopes["worker 1: MiB"].mean <= 100
    assert ("flat", 0) == (slopes["redis: keys"].verdict, round(slopes["redis: keys"].per_hour))
    texts = list(xml.etree.ElementTree.fromstring(draw(curves, slopes, "20 < 30")).itertext())
    assert {"20 < 30", f"worker 1 {slopes['worker 1: MiB'].mean:.0f}, +30.0/h, grows"} <= set(texts)


def test_what_a_busy_moment_piles_up_is_no_growth() -> None:
    """As long as it is gone afterwards; what stays is, though it comes in one step."""
    curves = Curves()
    for minute in range(61):
        hump = 10_000.0 if minute in (48, 49, 50, 56, 57) else 0.0
        curves.add(minute * 60.0, {"redis: keys": 20_000 + hump, "ingest 1: threads": 9.0 + 4 * (minute >= 45)})
    slopes = curves.slopes()

    assert ("flat", 0) == (slopes["redis: keys"].verdict, round(slopes["redis: keys"].per_hour))
    assert "grows" == slopes["ingest 1: threads"].verdict

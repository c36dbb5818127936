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
    assert ("flat", 0) == (slopes["redis: keys"].verdict, round(slopes["redis: keys"].per_hour))
    texts = list(xml.etree.ElementTree.fromstring(draw(curves, slopes, "20 < 30")).itertext())
    assert {"20 < 30", "worker 1 100, +30.0/h, grows"} <= set(texts)

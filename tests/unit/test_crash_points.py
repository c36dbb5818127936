"""The points at which fault tests kill a program are there, and nothing of them is in what is shipped."""

import inspect
from pathlib import Path

import pytest

import longshore
from tests.support.crash_points import POINTS, CrashPoint

SHIPPED = ("longshore", "ingest", "tasks", "config")


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_a_crash_point_lies_at_a_function_that_is_shipped(point: CrashPoint) -> None:
    """A function that was renamed must take its crash point along."""
    owner, name = point.owner()
    function = inspect.getattr_static(owner, name)

    assert inspect.isfunction(function)
    assert function.__module__.partition(".")[0] in SHIPPED


def test_what_is_shipped_knows_no_crash_points() -> None:
    """No switch with which a program in production could be told to kill itself."""
    root = Path(longshore.__file__).parents[1]
    sources = [path for package in SHIPPED for path in (root / package).rglob("*.py")]

    assert len(sources) > 100
    assert not [path for path in sources if "crash_point" in path.read_text("utf-8")]

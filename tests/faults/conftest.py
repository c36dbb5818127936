"""A scene for each test, the table of what every fault has cost, and the choice of faults for a short run.

LONGSHORE_FAULTS_MESSAGES=150     invocations of each fault; 2000 without
LONGSHORE_FAULTS_SELECTION=6      so many of the tests; all without
LONGSHORE_FAULTS_SEED=17          which ones: the same seed, the same tests
"""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import astuple, fields
from pathlib import Path

import pytest

from tests.support.faulty_redis import FaultyRedis
from tests.support.kafka_broker import KafkaBroker
from tests.support.scene import AWAY, SIZE, Row, Scene

HERE = Path(__file__).parent
SELECTION = int(os.environ.get("LONGSHORE_FAULTS_SELECTION") or 0)
SEED = os.environ.get("LONGSHORE_FAULTS_SEED") or "1"
ROW = "fault"
"""Name under which a test's report carries its row, from whichever process it ran in."""
ROWS = pytest.StashKey[list[Row]]()

MakeScene = Callable[..., Scene]


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[FaultyRedis]:
    """A Redis of this test's own, with which anything may be done."""
    server = FaultyRedis(tmp_path / "redis")
    with server:
        yield server


@pytest.fixture
def make_scene(
    request: pytest.FixtureRequest, tmp_path: Path, real_kafka: KafkaBroker, redis_server: FaultyRedis
) -> Iterator[MakeScene]:
    """Makes a scene with these additional variables, seeded with the test's name. Adds its row to the table."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.removeprefix("test_"))
    with ExitStack() as stack:

        def make(fault: str, **environ: str) -> Scene:
            scene = stack.enter_context(
                Scene(tmp_path, real_kafka, redis_server, name[:100], zlib.crc32(name.encode()), **environ)
            )

            def conclude() -> None:
                # A test that failed while Redis was away has nothing to show.
                with suppress(*AWAY):
                    request.node.user_properties.append((ROW, astuple(scene.row(fault))))

            stack.callback(conclude)
            return scene

        yield make


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the chosen faults; and have all of them run one after the other where tests run side by side."""
    faults = [item for item in items if HERE in item.path.parents]
    for item in faults:
        item.add_marker(pytest.mark.xdist_group("faults"))
    if not 0 < SELECTION < len(faults):
        return
    kept = {item.nodeid for item in random.Random(SEED).sample(faults, SELECTION)}
    left_out = [item for item in faults if item.nodeid not in kept]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


def pytest_report_header() -> str:
    """Say how to have the same again."""
    which = f"{SELECTION} chosen by LONGSHORE_FAULTS_SEED={SEED}" if SELECTION else "all"
    return f"faults: {which}, {SIZE} invocations each"


def pytest_configure(config: pytest.Config) -> None:
    """Show each row as soon as its test has ended."""
    config.pluginmanager.register(_Progress(config))


class _Progress:
    """Gathers the rows and shows them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test has ended, here or in another process."""
        found = [value for name, value in report.user_properties if name == ROW]
        if report.when != "teardown" or not found:
            return
        rows = self._config.stash.setdefault(ROWS, [])
        rows += [Row(*value) for value in found]  # type: ignore[misc]
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            for row in rows[-len(found) :]:
                told = (f"{row.published} published", f"{row.lost} lost", f"recovered in {row.recovery_s:.1f} s")
                terminal.ensure_newline()
                terminal.write_line(f"{row.fault}: {', '.join(told)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    names = [field.name.replace("_", " ") for field in fields(Row)]
    cells = [names] + [[f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in astuple(r)] for r in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    terminalreporter.section("what the faults cost")
    for fault, *numbers in cells:
        right = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        terminalreporter.write_line("  ".join([fault.ljust(widths[0]), *right]))

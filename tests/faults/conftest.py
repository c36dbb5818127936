"""A scene for each test, and the table of what every fault has cost."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import astuple, fields
from pathlib import Path

import pytest

from longshore.sandbox.embedded_redis import EmbeddedRedis
from tests.support.kafka_broker import KafkaBroker
from tests.support.scene import AWAY, Row, Scene

ROWS = pytest.StashKey[list[Row]]()

MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene(
    request: pytest.FixtureRequest, tmp_path: Path, real_kafka: KafkaBroker, redis_server: EmbeddedRedis
) -> Iterator[MakeScene]:
    """Makes a scene with these additional variables, seeded with the test's name. Adds its row to the table."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.removeprefix("test_"))
    rows = request.config.stash.setdefault(ROWS, [])
    with ExitStack() as stack:

        def make(fault: str, **environ: str) -> Scene:
            scene = stack.enter_context(
                Scene(tmp_path, real_kafka, redis_server, name[:100], zlib.crc32(name.encode()), **environ)
            )

            def conclude() -> None:
                # A test that failed while Redis was away has nothing to show.
                with suppress(*AWAY):
                    rows.append(scene.row(fault))

            stack.callback(conclude)
            return scene

        yield make


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

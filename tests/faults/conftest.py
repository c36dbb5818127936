"""A scene for each test, which adds a row to the table of what the faults have cost."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import astuple
from pathlib import Path

import pytest

from tests.support.faults_table import ROW
from tests.support.faulty_redis import FaultyRedis
from tests.support.kafka_broker import KafkaBroker
from tests.support.scene import AWAY, Scene

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

        def make(fault: str, networked: bool = False, kafka: KafkaBroker = real_kafka, **environ: str) -> Scene:
            scene = stack.enter_context(
                Scene(tmp_path, kafka, redis_server, name[:100], zlib.crc32(name.encode()), networked, **environ)
            )

            def conclude() -> None:
                # A test that failed while Redis was away has nothing to show.
                with suppress(*AWAY):
                    request.node.user_properties.append((ROW, astuple(scene.row(fault))))

            stack.callback(conclude)
            return scene

        yield make

"""`LONGSHORE_PROFILE=small`: a whole agent within the memory that Port's chart gives its agent by default."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from longshore.runtime.embedded_redis import free_port
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import Behavior, FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.programs import SETTINGS, Program, eventually
from tests.support.warm import longshore
from tests.support.whole_agent import start_agent

LIMIT = 256 * 2**20
"""Bytes: `resources.limits.memory` of that chart."""
RUNS = 300
PADDING = "x" * 8_000


@pytest.fixture
def world() -> Iterator[tuple[FakePort, FakeTargets]]:
    """Port, and targets of which some take a second to answer, so that all slots are in use."""
    ours = (SETTINGS["PORT_CLIENT_ID"], SETTINGS["PORT_CLIENT_SECRET"])
    with (
        FakePort(client_id=ours[0], client_secret=ours[1]) as port,
        FakeTargets(behavior=Behavior(slow_s=1)) as targets,
    ):
        yield port, targets


def memory_of(program: Program) -> int:
    """Bytes of the whole process tree, what several processes share counted once, as a container's limit does."""
    total = 0
    root = psutil.Process(program.process.pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue  # it has just ended
    return total


def test_all_programs_together_stay_within_256_mb(
    kafka: EmbeddedKafka, world: tuple[FakePort, FakeTargets], tmp_path: Path
) -> None:
    """Ingest, worker, Redis and metrics, with 300 runs of 8 kB at once and every slot in use."""
    port, targets = world
    publisher = RecordPublisher(kafka, SETTINGS["PORT_ORG_ID"])
    agent = start_agent(
        tmp_path / "agent",
        kafka,
        port,
        LONGSHORE_PROFILE="small",
        LONGSHORE_DATA=str(tmp_path / "data"),
        METRICS_PORT=str(free_port()),
        WORKER_SLOTS="20",
    )
    try:
        for number in range(RUNS):
            url = targets.url("slow" if number % 2 else "good")
            message = action_run(f"r_{number}", url, synchronized=True, properties={"text": PADDING})
            publisher.run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), f"r_{number}")
        most = 0

        def all_delivered() -> bool:
            nonlocal most
            most = max(most, memory_of(agent))
            return len({received.run_id for received in targets.received()}) == RUNS

        eventually(all_delivered, "delivery of every run")
        assert most < LIMIT, f"{most / 2**20:.0f} MB"
    finally:
        agent.close()


def test_its_defaults_give_way_to_what_is_set(tmp_path: Path) -> None:
    """It is fewer slots by default, not at most so many."""
    by_default = longshore("config", "check", folder=tmp_path, **SETTINGS, LONGSHORE_PROFILE="small")
    chosen = longshore("config", "check", folder=tmp_path, **SETTINGS, LONGSHORE_PROFILE="small", WORKER_SLOTS="50")

    assert "WORKER_SLOTS=20  (default)" in by_default.stdout
    assert "WORKER_SLOTS=50\n" in chosen.stdout

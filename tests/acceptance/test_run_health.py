"""The pages of `longshore run`: those of its programs as one. Each failure happens for real, is told, and heals."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from longshore.log import events
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from longshore.telemetry.process_tree import START_GRACE_S
from tests.support.monitored import Monitored
from tests.support.programs import PATIENCE_S, SETTINGS, Program, eventually
from tests.support.whole_agent import start_agent


@pytest.fixture
def port() -> Iterator[FakePort]:
    with FakePort(client_id=SETTINGS["PORT_CLIENT_ID"], client_secret=SETTINGS["PORT_CLIENT_SECRET"]) as port:
        yield port


def child(program: Program, name: str) -> psutil.Process:
    """The process of a child."""
    found = [one for one in psutil.Process(program.process.pid).children() if name in one.cmdline()]
    assert 1 == len(found), found
    return found[0]


def test_one_port_for_all_programs(kafka: EmbeddedKafka, port: FakePort, tmp_path: Path) -> None:
    """Counted by each, added up by whoever asks; one that is killed leaves nothing behind and begins anew."""
    pages = Monitored()
    with FakeTargets() as targets:
        agent = start_agent(tmp_path / "agent", kafka, port, WORKER_PROCESSES="2", **pages.environ)
        try:
            pages.says("/readyz", True)
            publisher = RecordPublisher(kafka, SETTINGS["PORT_ORG_ID"])
            for number in range(10):
                message = action_run(f"r_{number}", targets.url("good"))
                publisher.run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), f"r_{number}")
            publisher.run(b"{", "broken")
            pages.reaches(10, "longshore_attempts_total", outcome="delivered")
            pages.reaches(1, "longshore_skipped_total", reason="not_json")
            assert 10 == pages.value("longshore_accepted_total", program="ingest")
            pages.reaches(10, "longshore_fleet_accepted_total")
            pages.reaches(0, "longshore_ingest_lag")
            pages.reaches(40, "longshore_fleet_slots")
            assert 3 == pages.value("longshore_program_up")
            eventually(lambda: pages.value("longshore_port_calls_total", outcome="ok"), "calls to Port")

            child(agent, "worker-1").kill()
            agent.says("killed by SIGKILL")
            pages.says("/readyz", True)
            pages.reaches(0, "longshore_in_flight")
            assert pages.value("longshore_attempts_total", program="worker-1") in (None, 0)
        finally:
            agent.close()


def test_a_program_that_hangs_is_not_alive_and_is_replaced(
    kafka: EmbeddedKafka, port: FakePort, tmp_path: Path
) -> None:
    """Whatever it hangs in: it is stopped here. It is told at once that it is not ready, and heals without anyone."""
    pages = Monitored(liveness_s=12)
    agent = start_agent(tmp_path / "agent", kafka, port, WEBHOOK_INVOKER_TIMEOUT="3", **pages.environ)
    try:
        pages.says("/readyz", True)
        for name in ("worker-1", "ingest"):
            hung = child(agent, name)
            hung.send_signal(signal.SIGSTOP)
            pages.says("/readyz", False, f"{name} has not answered")
            pages.says("/livez", False, f"{name} has not answered")
            gone, _ = psutil.wait_procs([hung], timeout=PATIENCE_S)
            assert gone
            pages.says("/readyz", True)
        assert 2 == agent.log().count(events.CHILD_REPLACED.name)
    finally:
        agent.close()


def test_a_program_that_hangs_is_replaced_without_pages_too(
    kafka: EmbeddedKafka, port: FakePort, tmp_path: Path
) -> None:
    """Nobody has to watch an agent for it to heal. One that was not heard of yet has longer, as it may be starting."""
    agent = start_agent(tmp_path / "agent", kafka, port, WEBHOOK_INVOKER_TIMEOUT="3", LIVENESS_S="5")
    try:
        child(agent, "worker-1").send_signal(signal.SIGSTOP)
        eventually(
            lambda: agent.log().count(events.WORKER_READY.name) == 2, "another worker", START_GRACE_S + PATIENCE_S
        )
    finally:
        agent.close()


def test_without_kafka_it_is_not_ready_but_alive(kafka: EmbeddedKafka, port: FakePort, tmp_path: Path) -> None:
    """No broker can be reached: nothing to restart, and it comes back with Kafka."""
    pages = Monitored()
    agent = start_agent(tmp_path / "agent", kafka, port, **pages.environ)
    try:
        pages.says("/readyz", True)
        kafka.down()
        pages.says("/readyz", False, "no broker of Kafka")
        assert pages.get("/livez").json()["ok"]
        kafka.up()
        pages.says("/readyz", True)
    finally:
        agent.close()

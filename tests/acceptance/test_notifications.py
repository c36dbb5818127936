"""Notifications of a real fleet: one of two workers sends, and after a kill the other one."""

from pathlib import Path

from longshore.log import events
from longshore.operations.ledger_access import open_ledger
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from tests.support.programs import Program, eventually
from tests.support.receiver import receivers
from tests.support.whole_agent import start_agent

from .conftest import Bench


def worker_beside(bench: Bench, folder: Path, **environ: str) -> Program:
    """A worker with a log of its own."""
    folder.mkdir()
    bench.folder = folder
    return bench.worker(**environ)


def test_one_of_two_workers_notifies_and_the_other_one_after_a_kill(bench: Bench, tmp_path: Path) -> None:
    """Nothing is told twice, nothing is lost, and no log holds the URL, at any level."""
    with receivers(1) as (receiver,):
        environ = {"NOTIFY_URLS": receiver.url, "NOTIFY_INTERVAL_S": "0.5", "LOG_LEVEL": "DEBUG"}
        workers = [worker_beside(bench, tmp_path / name, **environ) for name in ("one", "other")]
        ledger = open_ledger(bench.settings).ledger
        notes = ledger.keys.notify

        def tells(id: str) -> None:
            eventually(lambda: any(id in text for text in receiver.texts), f"{id} is told")

        eventually(lambda: ledger.redis.hexists(notes, "progress:0"), "somebody looks at the fleet")
        bench.accept("run_1", "not_found")
        tells("run_1")
        holder = str(ledger.redis.hget(notes, "holder"))
        (dead,) = (worker for worker in workers if f"/{worker.process.pid}/" in holder)
        dead.says(events.NOTIFICATION_SENT.name)  # otherwise it may be killed before it notes that
        dead.process.kill()
        dead.process.wait()
        bench.accept("run_2", "not_found")
        ledger.redis.hset(notes, "lapses", "0")
        tells("run_2")

        assert ["1 dead letter:"] * 2 == [body["message"].split("\n")[0] for body in receiver.bodies]
        for worker in workers:
            worker.says(events.NOTIFICATION_SENT.name)
            assert "a-token-nobody-may-see" not in worker.log()


def test_an_agent_that_cannot_read_kafka_any_more_says_so_and_when_it_can(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """`longshore run`: its ingest or its worker sends."""
    with receivers(1) as (receiver,), FakePort() as port:
        environ = {"NOTIFY_URLS": receiver.url, "NOTIFY_INTERVAL_S": "0.5", "NOTIFY_SILENCE_S": "2"}
        agent = start_agent(tmp_path / "agent", kafka, port, **environ)
        try:
            agent.says(events.KAFKA_ASSIGNED.name)
            kafka.down()
            eventually(lambda: any("No ingest can read" in text for text in receiver.texts), "silence is told")
            kafka.up()
            eventually(lambda: any("Invocations are read again" in text for text in receiver.texts), "its end is told")
        finally:
            agent.close()

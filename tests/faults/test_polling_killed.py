"""Programs that poll are killed under load: every run that Port was told we have is delivered, and each once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from longshore.ledger.audit import audit
from longshore.ledger.connection import connect
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import action_run, node_run, polling_node_run, polling_run
from tests.support.faults_table import SIZE
from tests.support.faulty_redis import FaultyRedis
from tests.support.programs import SETTINGS, Program, eventually

KILLS = 8
CLAIM_S = 5.0
"""How long the fake Port keeps a claim for whoever was killed with it."""
PATIENCE_S = 240.0
"""The leases of acknowledgements that were under way at the last kill have to lapse."""


@pytest.mark.timeout(600, func_only=True)
def test_ingest_that_is_killed_while_it_polls_loses_nothing_and_repeats_nothing(
    redis_server: FaultyRedis, tmp_path: Path
) -> None:
    """At moments that the test's seed chooses, with claims, acknowledgements and settlements under way."""
    size, dice = min(SIZE, 400), random.Random(7)
    with FakePort() as port, FakeTargets() as targets:
        port.claims.claim_s = CLAIM_S
        environ = {name: value for name, value in SETTINGS.items() if not name.startswith("KAFKA")} | {
            "STREAMER_NAME": "POLLING",
            "PORT_API_BASE_URL": port.url,
            "REDIS_URL": redis_server.url,
            "POLLING_INTERVAL_SECONDS": "1",
            "POLLING_RUNS_BATCH_SIZE": "20",
            "COMMIT_DELAY_S": "0.2",
            "WORKER_SLOTS": "50",
            "REPORT_DELAY_S": "0.2",
        }
        programs: list[Program] = []

        def start(role: str) -> Program:
            folder = tmp_path / f"{role}-{len(programs)}"
            folder.mkdir()
            programs.append(Program(role, folder=folder, **environ))
            return programs[-1]

        try:
            start("worker")
            ingests = [start("ingest"), start("ingest")]
            runs = [
                polling_node_run(node_run(f"wfnr_{number}", targets.url("good")))
                if number % 4 == 0
                else polling_run(action_run(f"r_{number}", targets.url("good"), synchronized=True))
                for number in range(size)
            ]
            for kill in range(KILLS):
                port.offer(*runs[kill::KILLS])
                victim = kill % 2
                heard = len(port.claims.claimed) + dice.randrange(1, max(2, size // KILLS // 2))
                wait_for_claims(port, heard)
                ingests[victim].process.kill()
                ingests[victim].process.wait()
                ingests[victim] = start("ingest")
            ids = {str(run.get("id") or run.get("identifier")) for run in runs}
            eventually(lambda: set(port.claims.acknowledged) == ids, "all are acknowledged", PATIENCE_S)
            eventually(lambda: all(targets.received(id) for id in ids), "all are delivered", PATIENCE_S, every_s=0.2)
            eventually(lambda: all(id in port.runs and port.runs[id].ended for id in ids), "all have ended at Port")
        finally:
            for program in programs:
                program.close()
        assert dict.fromkeys(ids, 1) == {id: len(targets.received(id)) for id in ids}
        assert len(port.claims.acknowledged) == size
        assert [] == port.violations
    client = connect(redis_server.url)
    balance = audit(Ledger(client, Keys.of("org/polling"), Limits()))
    client.close()
    assert balance.is_balanced, balance


def wait_for_claims(port: FakePort, count: int) -> None:
    """Wait until Port has given out so many runs."""
    eventually(lambda: len(port.claims.claimed) >= count, f"{count} claims")

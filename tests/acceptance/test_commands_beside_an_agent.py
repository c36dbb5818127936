"""Commands for people on call find the Redis that `longshore run` brings, in the same container or machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.programs import SETTINGS, Program, eventually
from tests.support.warm import longshore
from tests.support.whole_agent import start_agent


@pytest.fixture
def agent(kafka: EmbeddedKafka, tmp_path: Path) -> Iterator[Program]:
    """One without REDIS_URL, that has delivered r_1."""
    with FakePort() as port, FakeTargets() as targets:
        agent = start_agent(tmp_path / "agent", kafka, port, KAFKA_CONSUMER_AUTO_OFFSET_RESET="earliest")
        try:
            message = action_run("r_1", targets.url("good"), synchronized=True)
            RecordPublisher(kafka, SETTINGS["PORT_ORG_ID"]).run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), "r_1")
            eventually(lambda: "r_1" in port.runs and port.runs["r_1"].ended, "the run ends")
            yield agent
        finally:
            agent.close()


def test_commands_need_no_address_beside_an_agent_that_brings_its_redis(agent: Program) -> None:
    """Until it ends: then there is nothing to ask, and nothing of it is left."""
    folder = agent.log_path.parent
    shown = longshore("show", "r_1", "--json", folder=folder, **SETTINGS)
    assert 0 == shown.returncode, shown.stderr
    assert "done" in json.dumps(json.loads(shown.stdout))
    assert 0 == longshore("status", folder=folder, **SETTINGS).returncode

    assert 0 == agent.stop()

    ended = longshore("status", folder=folder, **SETTINGS)
    assert 78 == ended.returncode
    assert "REDIS_URL: is" in ended.stderr
    assert [] == list(folder.glob("longshore-redis-of-*"))


def test_another_agent_s_redis_is_not_asked(agent: Program) -> None:
    """Its ledger is another one."""
    other = {**SETTINGS, "KAFKA_CONSUMER_GROUP_ID": "org.another"}

    assert 78 == longshore("status", folder=agent.log_path.parent, **other).returncode

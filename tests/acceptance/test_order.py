"""A mapping's order, from Kafka to the targets: one at a time, and people see what waits, and behind what."""

from pathlib import Path

from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.programs import SETTINGS, eventually
from tests.support.warm import longshore
from tests.support.whole_agent import start_agent

MAPPING = [
    {
        "delivery": {
            "target": "services",
            "order": {"key": ".payload.properties.service", "behind_dead": "hold"},
        }
    }
]


def test_an_entity_gets_one_at_a_time_and_waits_behind_what_failed(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Through retries, in the order published; until somebody discards the dead letter. Others do not wait."""
    with FakePort() as port, FakeTargets() as targets:
        agent = start_agent(
            tmp_path / "agent",
            kafka,
            port,
            MAPPING,
            KAFKA_CONSUMER_AUTO_OFFSET_RESET="earliest",
            RETRY_MAX_ATTEMPTS="3",
        )
        folder = agent.log_path.parent
        publisher = RecordPublisher(kafka, SETTINGS["PORT_ORG_ID"])
        try:
            for id, target, service in (
                ("r_1", "flaky", "checkout"),
                ("r_2", "not_found", "checkout"),
                ("r_3", "good", "checkout"),
                ("r_4", "good", "billing"),
            ):
                message = action_run(id, targets.url(target), properties={"service": service})
                publisher.run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), "one partition")
            eventually(lambda: targets.received("r_2") and targets.received("r_4"), "the first two, and the other")
            eventually(
                lambda: "r_2, which is dead" in longshore("show", "r_3", folder=folder, **SETTINGS).stdout, "it is held"
            )
            assert [] == targets.received("r_3")
            assert "1 (1 in order)" in longshore("targets", "list", folder=folder, **SETTINGS).stdout
            assert 0 == longshore("dlq", "purge", "r_2", "--yes", folder=folder, **SETTINGS).returncode
            eventually(lambda: targets.received("r_3"), "the next one")
        finally:
            agent.close()
        ordered = [request.run_id for request in targets.received() if request.run_id != "r_4"]

    assert ["r_1", "r_1", "r_1", "r_2", "r_3"] == ordered

"""Port rotates the Kafka password: ingest asks for the new one and reads on, in the same process."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from structlog.testing import capture_logs

from longshore.sandbox.embedded_redis import HOST, EmbeddedRedis, free_port
from longshore.sandbox.fake_port import FakePort
from tests.integration.ingest.conftest import MakeIngest, run
from tests.support.kafka_broker import KafkaBroker

USER = "org-user"


class GuardedBroker(KafkaBroker):
    """A broker with a second door, `guarded`, that wants a SCRAM login as Port's cluster does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.guarded = f"{HOST}:{free_port()}"

    def set_password(self, password: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(USER, info, password.encode())
        admin.alter_user_scram_credentials([change])[USER].result(30)

    def _properties(self) -> str:
        controller = f"CONTROLLER://{HOST}:{self.controller_port}"
        doors = f"PLAINTEXT://{self.bootstrap},SASL_PLAINTEXT://{self.guarded}"
        protocols = ("PLAINTEXT", "SASL_PLAINTEXT")
        # The last value of a name counts.
        return "\n".join(
            [
                super()._properties(),
                f"listeners={doors},{controller}",
                f"advertised.listeners={doors}",
                "listener.security.protocol.map=CONTROLLER:PLAINTEXT," + ",".join(f"{p}:{p}" for p in protocols),
                "sasl.enabled.mechanisms=SCRAM-SHA-512",
                "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config="
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ]
        )


@pytest.fixture
def guarded_kafka(real_kafka: KafkaBroker, tmp_path: Path) -> Iterator[GuardedBroker]:
    """A broker of this test's own; where the shared one can be had, this one can too."""
    broker = GuardedBroker(tmp_path / "guarded")
    broker.start()
    yield broker
    broker.kill()


@pytest.mark.real_kafka
def test_a_rotated_password_is_fetched_and_used(
    make_ingest: MakeIngest, guarded_kafka: GuardedBroker, redis_server: EmbeddedRedis
) -> None:
    """The broker refuses the old password; Port gives out the new one; nobody restarts anything."""
    broker = guarded_kafka
    for topic in ("org.runs", "org.change.log"):
        broker.create_topic(topic)
    broker.set_password("the-first")
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})

    def publish(number: int) -> None:
        producer.produce("org.runs", run(number))
        producer.flush(30)

    with FakePort(brokers=[broker.guarded], kafka_username=USER, kafka_password="the-first") as port:
        ingest = make_ingest(
            "",
            redis_server,
            PORT_API_BASE_URL=port.url,
            USING_LOCAL_PORT_INSTANCE="false",
            KAFKA_CONSUMER_SECURITY_PROTOCOL="SASL_PLAINTEXT",
            KAFKA_CONSUMER_AUTHENTICATION_MECHANISM="SCRAM-SHA-512",
        ).start()
        publish(1)
        ingest.eventually("accepted", 1)
        address = urlsplit(port.url)

    broker.set_password("the-second")
    # The same address: Port as it is after the rotation.
    rotated = FakePort(
        port=address.port or 0, brokers=[broker.guarded], kafka_username=USER, kafka_password="the-second"
    )
    with rotated, capture_logs() as lines:
        broker.stop()
        broker.start()
        publish(2)
        ingest.eventually("accepted", 2)
    assert ingest.exit_code is None
    ingest.stop()

    assert "kafka.login_refused" in [line["event"] for line in lines]
    assert "the-second" not in str(lines)

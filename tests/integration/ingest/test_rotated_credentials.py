"""Port rotates the Kafka password: ingest asks for the new one and reads on, in the same process."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Producer
from structlog.testing import capture_logs

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.fake_port import FakePort
from tests.integration.ingest.conftest import MakeIngest, run
from tests.support.guarded_broker import USER, GuardedBroker
from tests.support.kafka_broker import KafkaBroker


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

    assert events.KAFKA_LOGIN_REFUSED.name in [line["event"] for line in lines]
    assert "the-second" not in str(lines)

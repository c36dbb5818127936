"""Ingest tells the workers which brokers Port named, so that no webhook goes there."""

from longshore.ledger.kafka_addresses import KafkaAddresses
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from tests.integration.ingest.conftest import MakeIngest
from tests.support.programs import eventually


def test_the_brokers_that_port_names_are_known_to_the_workers(
    make_ingest: MakeIngest, kafka: EmbeddedKafka, redis_server: EmbeddedRedis
) -> None:
    """Their addresses, without user and password."""
    with FakePort(brokers=[kafka.bootstrap, "other:9196"], kafka_username="u", kafka_password="p") as port:
        more = {"USING_LOCAL_PORT_INSTANCE": "false", "PORT_API_BASE_URL": port.url}
        ledger = make_ingest("", redis_server, **more).start().ledger
        brokers = KafkaAddresses(ledger)
        eventually(lambda: brokers.read(), "the brokers are stored")

    assert (kafka.bootstrap, "other:9196") == brokers.read()

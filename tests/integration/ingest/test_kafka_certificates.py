"""A real broker that wants a client certificate."""

import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.integration.ingest.conftest import MakeIngest
from tests.integration.ingest.topics import Topics
from tests.support.kafka_broker import KafkaBroker
from tests.support.programs import eventually

pytestmark = pytest.mark.real_kafka

PASSWORD = "hush-0123456789"


def test_ingest_shows_its_certificate_and_the_one_that_follows_it(
    make_ingest: MakeIngest, real_kafka: KafkaBroker, redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    """With a key that is encrypted; and what cannot be read is not used."""
    topics, authority = Topics(real_kafka), real_kafka.authority
    certificate = tmp_path / "tls.pem"
    shutil.copy(authority.issue("ann", password=PASSWORD.encode()), certificate)
    topics.publish(range(1))
    with capture_logs() as lines:
        ingest = make_ingest(
            real_kafka.demanding,
            redis_server,
            **topics.settings(),
            KAFKA_CONSUMER_SECURITY_PROTOCOL="ssl",
            KAFKA_CONSUMER_SSL_CERTIFICATE_LOCATION=str(certificate),
            KAFKA_CONSUMER_SSL_KEY_PASSWORD=PASSWORD,
            KAFKA_CONSUMER_SSL_CA_LOCATION=str(authority.bundle),
        ).start()
        ingest.eventually("accepted", 1)

        certificate.write_text("-----BEGIN CERTIFICATE-----\n")
        eventually(lambda: events.TLS_RELOAD_FAILED.name in [line["event"] for line in lines], "the broken one is seen")
        shutil.copy(authority.issue("bob", password=PASSWORD.encode()), certificate)
        eventually(lambda: events.KAFKA_CERTIFICATES_CHANGED.name in [line["event"] for line in lines], "the next one")
        topics.publish(range(1, 2))
        ingest.eventually("accepted", 2)
        ingest.stop()

    assert PASSWORD not in str(lines)

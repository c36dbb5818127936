"""The password of Kafka is revoked, and a new one is to be had only later: nobody restarts anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.kafka.credential_refresher import MAX_WAIT_S
from longshore.log import events
from tests.faults.conftest import MakeScene
from tests.support.faults_table import SIZE
from tests.support.guarded_broker import USER, GuardedBroker
from tests.support.kafka_broker import KafkaBroker
from tests.support.load import WELL_BEHAVED
from tests.support.scene import BOUND_S, RECOVERY_BOUND_S, STRIKE_S

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

REFRESH_S = MAX_WAIT_S + RECOVERY_BOUND_S
"""Port is asked ever more seldom while it gives out what Kafka refuses."""


@pytest.fixture
def guarded_kafka(real_kafka: KafkaBroker, tmp_path: Path) -> Iterator[GuardedBroker]:
    """A broker of this test's own; where the shared one can be had, this one can too."""
    broker = GuardedBroker(tmp_path / "guarded")
    broker.start()
    yield broker
    broker.kill()


def test_a_revoked_password_costs_nothing_but_time(make_scene: MakeScene, guarded_kafka: GuardedBroker) -> None:
    """Port gives out the old one for a while, as it may; what was read is delivered, the rest is read later."""
    broker = guarded_kafka
    broker.set_password("the-first")
    scene = make_scene(
        "Kafka: login revoked and renewed",
        kafka=broker,
        USING_LOCAL_PORT_INSTANCE="false",
        KAFKA_CONSUMER_BOOTSTRAP_SERVERS="",
        KAFKA_CONSUMER_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        KAFKA_CONSUMER_AUTHENTICATION_MECHANISM="SCRAM-SHA-512",
    )
    scene.recovery_bound_s = REFRESH_S
    scene.port.give_out_kafka([broker.guarded], USER, "the-first")
    scene.start_fleet()
    pids = scene.fleet.pids()
    scene.load.publish(SIZE // 2, WELL_BEHAVED)
    scene.until_busy()

    broker.set_password("the-second")
    broker.stop()  # connections that have logged in stay so
    broker.start()
    scene.pass_time(STRIKE_S)
    scene.until(lambda: scene.fleet.log_lines(events.KAFKA_LOGIN_REFUSED.name), "the login is refused")
    scene.port.give_out_kafka([broker.guarded], USER, "the-second")
    scene.recovers("Kafka")
    scene.load.publish(max(0, SIZE - len(scene.load.sent)), WELL_BEHAVED)
    scene.until_settled()

    assert scene.fleet.pids() == pids
    for account in scene.balance():
        assert (account.state, account.reason, account.repeats) == (*account.natural_end(), 0), account
    scene.end()

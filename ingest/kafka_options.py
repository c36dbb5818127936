"""librdkafka's options: the original agent's names and values (wire contract, settings), and the few of our own."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from config import small
from config.settings import Settings
from config.trust import kafka_bundle
from ingest.credentials import Access


def consumer_options(
    settings: Settings,
    access: Access,
    on_error: Callable[[Any], None],
    on_commit: Callable[[Any, Any], None],
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The options of the consumer at the brokers of `access`; `environ` None means the process environment."""
    options: dict[str, Any] = {
        "bootstrap.servers": access.brokers,
        "client.id": "port-agent",
        "security.protocol": settings.kafka_consumer_security_protocol,
        "sasl.mechanism": settings.kafka_consumer_authentication_mechanism,
        "group.id": settings.kafka_consumer_group_id,
        "session.timeout.ms": settings.kafka_consumer_session_timeout_ms,
        "auto.offset.reset": settings.kafka_consumer_auto_offset_reset,
        "enable.auto.commit": False,
        # librdkafka's own default, and so the original's: both can share a group during a migration.
        "partition.assignment.strategy": "range,roundrobin",
        # The default of 100 ms asks a broker that is away 20 times a second; it grows to 10 s.
        "reconnect.backoff.ms": 500,
        # The default of 64 MB only costs memory: what we cannot store is better left in Kafka.
        "queued.max.messages.kbytes": 16_384,
        # New partitions and topics are noticed within seconds instead of five minutes, for one small request each time.
        "topic.metadata.refresh.interval.ms": 10_000,
        # What librdkafka would print by itself reaches us as events too; it must not pass by our log.
        "log_level": 2,
        "error_cb": on_error,
        "on_commit": on_commit,
    }
    if settings.longshore_small:
        options |= small.KAFKA_OPTIONS
    if access.username is not None:
        options |= {"sasl.username": access.username, "sasl.password": access.password}
    bundle = kafka_bundle(os.environ if environ is None else environ)
    if bundle and "ssl" in settings.kafka_consumer_security_protocol.lower():
        options["ssl.ca.location"] = bundle
    return options

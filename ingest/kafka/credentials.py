"""Where Kafka is and how to log in there: from the settings, or from Port."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.settings import Settings
from ingest.outage import Outage
from longshore.errors import LongshoreError, PortUnavailable
from longshore.log import events
from longshore.log.event_log import EventLog

if TYPE_CHECKING:  # who asks Port has it anyway; the others name an access
    from longshore.port import KafkaCredentials, PortClient

log = EventLog(__name__)

FIRST_WAIT_S = 1.0
MAX_WAIT_S = 32.0
"""Port's own advice for retries: 1 s, doubling, at most 32 s."""


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Brokers (comma list) and, unless there is none, the SASL user and password."""

    brokers: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def from_settings(settings: Settings) -> KafkaAccess | None:
    """The access that `USING_LOCAL_PORT_INSTANCE` stands for; None where Port is to be asked."""
    return KafkaAccess(settings.kafka_consumer_bootstrap_servers) if settings.using_local_port_instance else None


def from_port(port: PortClient, stop: threading.Event) -> KafkaAccess | None:
    """Ask Port until it answers; None only when `stop` is set. To be called off the main thread: a call takes 20 s."""
    outage = Outage(events.PORT_OUTAGE, stop, first_wait_s=FIRST_WAIT_S, max_wait_s=MAX_WAIT_S)
    while not stop.is_set():
        try:
            answer: KafkaCredentials = port.kafka_credentials()
        except PortUnavailable as error:
            outage.wait(error, min(error.retry_after_s or 0, MAX_WAIT_S))
        except LongshoreError as error:
            outage.wait(error)
        else:
            outage.end()
            return KafkaAccess(",".join(answer.brokers), answer.username, answer.password)
    return None

"""What librdkafka's errors mean for a consumer: which are outages, which end it, which are only logged."""

from confluent_kafka import KafkaError

from ingest.outage import Outage
from longshore.errors import LongshoreError
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

AUTH_ERRORS = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})
BROKERS_DOWN = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE})
TRANSIENT = frozenset({KafkaError._TRANSPORT, KafkaError._TIMED_OUT})
"""Lost or refused connections to single brokers; librdkafka reconnects; `BROKERS_DOWN` follows if none is left."""

RETRIABLE_COMMIT = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError._WAIT_COORD,
        KafkaError._NO_OFFSET,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._DESTROY,
        KafkaError._STATE,
    }
)
"""Commits that fail so are repeated, or are no longer ours to make."""


class KafkaRefused(LongshoreError):
    """Kafka could not be asked by a command, or sends it nothing."""


class ConsumerErrors:
    """The errors of one consumer. For the thread that polls, which runs librdkafka's callbacks."""

    def __init__(self, outage: Outage) -> None:
        """`outage` is Kafka's."""
        self._outage = outage
        self._logged: set[str] = set()
        self.is_fatal = False
        """librdkafka cannot go on: this consumer will never read again."""
        self.is_login_refused = False
        """The brokers do not take the credentials."""

    def on_error(self, error: KafkaError) -> None:
        """Librdkafka reports this."""
        if error.fatal():
            self.is_fatal = True
        if error.code() in AUTH_ERRORS:
            self.is_login_refused = True
        if error.code() in BROKERS_DOWN:
            self._outage.begin(error.str())
        elif error.code() in TRANSIENT:
            self.ignore(error)
        elif (text := f"{error.name()} {error.str()}") not in self._logged:
            # librdkafka repeats it with every try; logged once until the next assignment.
            self._logged.add(text)
            log.event(events.KAFKA_ERROR_REPORTED, code=error.name(), problem=error.str())

    def on_commit_failed(self, error: KafkaError) -> None:
        """A commit ended so. It needs no care: `Offsets.committable` returns what is not confirmed again."""
        is_retried = error.code() in RETRIABLE_COMMIT
        log.event(events.KAFKA_COMMIT_RETRIED if is_retried else events.KAFKA_COMMIT_FAILED, problem=error.str())

    def on_assigned(self) -> None:
        """The group answers, so errors after this are new ones."""
        self._logged.clear()
        self._outage.end()

    def ignore(self, error: KafkaError) -> None:
        """Log what needs nobody."""
        log.event(events.KAFKA_ERROR_IGNORED, code=error.name(), problem=error.str())

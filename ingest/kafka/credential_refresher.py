"""New Kafka credentials, and new certificates to trust, without a restart.

Credentials when the brokers no longer take the ones at hand; certificates when the file with them has changed.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future

from ingest.kafka.background import in_background
from ingest.kafka.consumer import KafkaReader
from ingest.kafka.credentials import KafkaAccess
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.runtime.ca_trust import kafka_bundle_version

log = EventLog(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
"""Port's limit for credentials is counted in hundreds of calls per hour; one a minute is far below."""


class CredentialRefresher:
    """Watches a reader's login, and asks `fetch` for new credentials when it is refused.

    `fetch` None: there is nobody to ask (local Kafka), so the refusal is only logged.
    """

    def __init__(
        self,
        access: KafkaAccess,
        fetch: Callable[[], KafkaAccess | None] | None,
        clock: Callable[[], float] = time.monotonic,
        bundle: Callable[[], object] = lambda: kafka_bundle_version(os.environ),
    ) -> None:
        self._access = access
        self._fetch = fetch
        self._clock = clock
        self._bundle = bundle
        self._trusted = bundle()
        self._asked: Future[KafkaAccess | None] | None = None
        self._not_before = 0.0
        self._wait_s = FIRST_WAIT_S

    def look(self, reader: KafkaReader) -> KafkaAccess | None:
        """To be called every now and then. Returns an access for which a new consumer must be made, if there is one."""
        if reader.broken or self._trusts_others():
            return self._access
        if self._fetch is None:
            return None
        if self._asked is None:
            if reader.login_refused and self._clock() >= self._not_before:
                log.event(events.KAFKA_LOGIN_REFUSED, remedy="asking Port for the credentials again")
                self._asked = in_background("kafka-credentials", self._fetch)
            return None
        if not self._asked.done():
            return None
        found, self._asked = self._asked.result(), None
        return None if found is None else self._use(found, reader)

    def _trusts_others(self) -> bool:
        # librdkafka reads the certificates once, when a consumer is made.
        now = self._bundle()
        if now is None or now == self._trusted:
            return False
        self._trusted = now
        log.event(events.KAFKA_CERTIFICATES_CHANGED, remedy="making a new consumer")
        return True

    def _use(self, found: KafkaAccess, reader: KafkaReader) -> KafkaAccess | None:
        self._wait_s = FIRST_WAIT_S if found != self._access else min(self._wait_s * 2, LONGEST_WAIT_S)
        self._not_before = self._clock() + self._wait_s
        if found.brokers != self._access.brokers or found.username is None or found.password is None:
            return found
        self._access = found
        reader.set_credentials(found.username, found.password)
        return None

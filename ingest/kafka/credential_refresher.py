"""New Kafka credentials, and new certificates to trust, without a restart.

Credentials when the brokers no longer take the ones at hand; certificates when the file with them has changed.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future

from ingest.background import in_background
from ingest.kafka.consumer import KafkaReader
from ingest.kafka.credentials import KafkaAccess
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

FIRST_WAIT_S = 1.0
MAX_WAIT_S = 60.0
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
        read_certificate_version: Callable[[], object] = lambda: None,
    ) -> None:
        self._access = access
        self._fetch = fetch
        self._clock = clock
        self._read_certificate_version = read_certificate_version
        self._certificate_version = read_certificate_version()
        self._request: Future[KafkaAccess | None] | None = None
        self._not_before = 0.0
        self._wait_s = FIRST_WAIT_S

    def refresh(self, reader: KafkaReader) -> KafkaAccess | None:
        """To be called every now and then. Returns the access for a new consumer, where this one will not do."""
        if reader.is_broken or self._have_certificates_changed():
            return self._access
        if self._fetch is None:
            return None
        if self._request is None:
            if reader.errors.is_login_refused and self._clock() >= self._not_before:
                log.event(events.KAFKA_LOGIN_REFUSED)
                self._request = in_background("kafka-credentials", self._fetch)
            return None
        if not self._request.done():
            return None
        access, self._request = self._request.result(), None
        return None if access is None else self._use(access, reader)

    def _have_certificates_changed(self) -> bool:
        # librdkafka reads the certificates once, when a consumer is made.
        version = self._read_certificate_version()
        if version is None or version == self._certificate_version:
            return False
        self._certificate_version = version
        log.event(events.KAFKA_CERTIFICATES_CHANGED)
        return True

    def _use(self, access: KafkaAccess, reader: KafkaReader) -> KafkaAccess | None:
        self._wait_s = FIRST_WAIT_S if access != self._access else min(self._wait_s * 2, MAX_WAIT_S)
        self._not_before = self._clock() + self._wait_s
        if access.brokers != self._access.brokers or access.username is None or access.password is None:
            return access
        self._access = access
        reader.set_credentials(access.username, access.password)
        return None

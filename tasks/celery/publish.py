"""Claims become Celery messages. A message that is lost costs one lease, so nothing here is repeated or awaited."""

import threading
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from celery import Celery

from longshore.ledger.entry import Claim
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.celery.message_template import MessageTemplate
from tasks.celery.messages import split_claims
from tasks.celery.names import queue_of

log = EventLog(__name__)


class Publisher:
    """Publishes claims, many in one message and in one round trip. Thread safe."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._workers = 1
        self._connection: Any = None
        self._template: MessageTemplate | None = None

    def publish(self, claims: Iterable[Claim], workers: int = 0) -> None:
        """Puts messages of `claims` on Celery's lists. On failure the claims' leases lapse and they come again.

        `workers`: how many worker processes the fleet has, each of which is to get some; 0: as last known.
        """
        claims = list(claims)
        if not claims:
            return
        with self._lock:
            self._workers = workers or self._workers
            try:
                self._push(split_claims(claims, self._workers))
            except Exception as error:
                # Whether some of them arrived is unknown; `begin` takes each token once, so either way is safe.
                log.event(events.CELERY_PUBLISH_FAILED, claims=len(claims), error=type(error).__name__)
                self._drop()

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            self._drop()

    def _push(self, messages: list[list[Claim]]) -> None:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
        channel = self._connection.default_channel
        if self._template is None:
            self._template = MessageTemplate(self._app, channel)
        for format, same in groupby(messages, lambda claims: claims[0].format):
            channel.push(queue_of(format), [self._template.element(claims) for claims in same])

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.release()
            except Exception as error:
                log.event(events.CELERY_RELEASE_FAILED, error=type(error).__name__)

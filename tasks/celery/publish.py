"""Claims become Celery messages. A message that is lost costs one lease, so nothing here is repeated or awaited."""

import threading
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import Any

from celery import Celery

from longshore.ledger.entry import Claim
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic
from tasks.celery.names import DELIVER, queue_of, task_id

log = EventLog(__name__)

_IDLE_S = 1.0
_MAX_BATCH = 500


class Publisher:
    """Publishes claims, many in one round trip. Thread safe."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._producer: Any = None

    def publish(self, claims: Iterable[Claim]) -> None:
        """Puts one message per claim on Celery's list. On failure the claims' leases lapse and they come again."""
        claims = list(claims)
        if not claims:
            return
        with self._lock:
            try:
                if self._producer is None:
                    self._producer = self._app.amqp.Producer(self._app.connection_for_write())
                with self._producer.batch(len(claims)):
                    for claim in claims:
                        self._send(claim)
            except Exception as error:
                # Whether some of them arrived is unknown; `begin` takes each token once, so either way is safe.
                log.event(events.CELERY_PUBLISH_FAILED, claims=len(claims), error=type(error).__name__)
                self._drop()

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            self._drop()

    def _send(self, claim: Claim) -> None:
        # What `send_task` does, without the routing and declaring that cost two thirds of it: one queue, one task.
        message = self._app.amqp.create_task_message(
            task_id(claim.id, claim.generation),
            DELIVER,
            (claim.id, claim.token, claim.start_ms),
            {},
            retries=claim.attempts,
            shadow=f"{DELIVER} {claim.target}",
            argsrepr=f"({claim.id!r},)",
            kwargsrepr="{}",
        )
        self._producer.publish(
            message.body,
            exchange="",
            routing_key=queue_of(claim.format),
            serializer="json",
            headers=message.headers,
            retry=False,
            **message.properties,
        )

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.connection.release()
            except Exception as error:
                log.event(events.CELERY_RELEASE_FAILED, error=type(error).__name__)


class BackgroundPublisher:
    """Publishes from a thread of its own, so that deliveries which end together share a round trip."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._queue: SimpleQueue[tuple[Claim, ...]] = SimpleQueue()
        self._loop = Periodic("publisher", 0, self._step)
        self._loop.start()

    def publish(self, claims: tuple[Claim, ...]) -> None:
        """Hands `claims` to the thread."""
        if claims:
            self._queue.put(claims)

    def stop(self) -> None:
        """Publishes what it has and ends."""
        self._loop.stop(0)
        self._queue.put(())  # so that it does not wait for more
        self._loop.stop()
        if not self._queue.empty():
            self._step()

    def _step(self) -> None:
        batch: list[Claim] = []
        try:
            batch += self._queue.get(timeout=_IDLE_S)
            while len(batch) < _MAX_BATCH:
                batch += self._queue.get_nowait()
        except Empty:
            pass
        self._publisher.publish(batch)

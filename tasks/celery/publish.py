"""Claims become Celery messages. A message that is lost costs one lease, so nothing here is repeated or awaited."""

import threading
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from celery import Celery

from longshore.periodic import Periodic
from longshore.store.entry import Claim
from tasks.celery.options import queue_of

log = structlog.get_logger(__name__)

TASK = "deliver"
"""The task's name on the wire, which workers of all versions know; moving its module strands no message."""

_IDLE_S = 1.0
_MOST_AT_ONCE = 500

PAUSE_FOREIGN_MS = 5_000
"""After which a claim is handed out again that came to a worker which cannot read it: usually to another one."""


def task_id(id: str, generation: int) -> str:
    """Celery's id of an invocation: Port's run id, with the generation behind it after a requeue.

    Celery and Flower never let a finished id live again.
    """
    return id if generation == 1 else f"{id}~{generation}"


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
                log.warning("publish.failed", claims=len(claims), error=type(error).__name__)
                self._drop()

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            self._drop()

    def _send(self, claim: Claim) -> None:
        # What `send_task` does, without the routing and declaring that cost two thirds of it: one queue, one task.
        message = self._app.amqp.create_task_message(
            task_id(claim.id, claim.generation),
            TASK,
            (claim.id, claim.token, claim.start_ms),
            {},
            retries=claim.attempts,
            shadow=f"{TASK} {claim.target}",
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
                log.debug("publish.release_failed", error=type(error).__name__)


class BackgroundPublisher:
    """Publishes from a thread of its own, so that deliveries which end together share a round trip."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._queue: SimpleQueue[tuple[Claim, ...]] = SimpleQueue()
        self._loop = Periodic("publish", 0, self._step)
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
            while len(batch) < _MOST_AT_ONCE:
                batch += self._queue.get_nowait()
        except Empty:
            pass
        self._publisher.publish(batch)

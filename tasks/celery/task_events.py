"""Celery's events of claims, from which Flower makes its rows: many in one message of the group `task.multi`.

They are sent only while somebody wants them (`WORKER_EVENTS`, or `enable_events` by remote control). An event that
cannot be sent is only missing from Flower; the ledger has what happened.
"""

import time
from typing import Any

from celery import Celery

from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker.stage import Stage

log = EventLog(__name__)

INTERVAL_S = 0.1
"""Between two messages. Flower shows a row this much later."""

MAX_EVENTS = 10_000
"""Events that wait to be sent, about 5 MB; while so many do, further ones are dropped."""

_MAX_BATCH = 500


class TaskEvents:
    """Collects events from all threads, and sends them from one of its own over a connection of its own.

    Not from Celery's thread: what ends during a drain is told too, when Celery's event loop is over.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._consumer: Any = None
        self._is_enabled = False
        self._dispatcher: Any = None
        self._dropped = 0
        self._stage = Stage("task-events", self._send_batch, _MAX_BATCH, self._gather_s)
        self.start = self._stage.start

    def use(self, consumer: Any) -> None:
        """Celery's consumer, whose dispatcher knows whether anybody wants events."""
        self._consumer = consumer

    @property
    def is_enabled(self) -> bool:
        """Whether events of tasks are wanted; as it was last, while Celery has no connection."""
        dispatcher = getattr(self._consumer, "event_dispatcher", None)
        if dispatcher is not None:
            self._is_enabled = dispatcher.enabled and (not dispatcher.groups or "task" in dispatcher.groups)
        return self._is_enabled

    def add(self, type: str, uuid: str, **fields: Any) -> None:
        """An event of task `uuid` has happened now. Thread safe; costs little while nobody wants it."""
        if not self.is_enabled:
            return
        if len(self._stage) >= MAX_EVENTS:
            self._dropped += 1
            return
        self._stage.put((type, {"uuid": uuid, "timestamp": time.time(), **fields}))

    def stop(self) -> None:
        """Sends what is there, and ends."""
        self._stage.stop()
        self._close()

    def _gather_s(self) -> float:
        return 0.0 if len(self._stage) >= _MAX_BATCH - 1 else INTERVAL_S

    def _send_batch(self, batch: list[tuple[str, dict[str, Any]]]) -> None:
        dropped, self._dropped = self._dropped, 0
        if not self._send(batch):
            dropped += len(batch)
        if dropped:
            log.event(events.CELERY_EVENTS_DROPPED, count=dropped)

    def _send(self, batch: list[tuple[str, dict[str, Any]]]) -> bool:
        try:
            dispatcher = self._open_dispatcher()
            for type, fields in batch:
                dispatcher.send(type, **fields)
            dispatcher.flush()
        except Exception:
            self._close()
            return False
        return True

    def _open_dispatcher(self) -> Any:
        """Celery's own, which adds clock, host name, process id and offset to UTC."""
        if self._dispatcher is None:
            connection = self._app.connection_for_write()
            connection.ensure_connection(max_retries=1)
            self._dispatcher = self._app.events.Dispatcher(
                connection,
                hostname=self._consumer.hostname,
                buffer_while_offline=False,
                buffer_group={"task"},
                buffer_limit=_MAX_BATCH + 1,
            )
        return self._dispatcher

    def _close(self) -> None:
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            try:
                dispatcher.connection.release()
            except Exception as error:
                log.event(events.CELERY_RELEASE_FAILED, error=type(error).__name__)

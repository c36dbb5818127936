"""Celery's events of tasks whose worker is gone: sent by whoever finds the lease lapsed, as nobody else is left to."""

from typing import Any

from longshore.errors import StoreUnavailable
from longshore.ledger.entry import ExpiredLease
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.celery.names import task_id

log = EventLog(__name__)


class LapsedTaskEvents:
    """Sends the event that the dead worker would have sent. Without it a row would stay `STARTED` for ever."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._consumer: Any = None

    def use(self, consumer: Any) -> None:
        """Celery's consumer, whose events go through; set again after each reconnect."""
        self._consumer = consumer

    def send(self, expired_lease: ExpiredLease) -> None:
        """One event, where somebody listens. One that cannot be sent is only missing from Flower."""
        dispatcher = getattr(self._consumer, "event_dispatcher", None)
        if dispatcher is None or not dispatcher.enabled:
            return
        event = "task-retried" if expired_lease.state == State.WAITING else "task-failed"
        cause = f"{expired_lease.state}: {expired_lease.reason or 'its lease lapsed'}"
        try:
            dispatcher.send(event, uuid=self._task_id(expired_lease.id), exception=cause, traceback=None)
        except (StoreUnavailable, OSError) as error:
            log.event(events.CELERY_EVENT_FAILED, id=expired_lease.id, error=type(error).__name__)

    def _task_id(self, id: str) -> str:
        return task_id(id, self._ledger.generation(id))

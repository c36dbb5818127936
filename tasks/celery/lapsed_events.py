"""Celery's events of tasks whose worker is gone: sent by whoever finds the lease lapsed, as nobody else is left to."""

from longshore.ledger.entry import ExpiredLease
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from tasks.celery.names import task_id
from tasks.celery.task_events import TaskEvents


class LapsedTaskEvents:
    """Sends the event that the dead worker would have sent. Without it a row would stay `STARTED` for ever."""

    def __init__(self, ledger: Ledger, events: TaskEvents) -> None:
        self._ledger = ledger
        self._events = events

    def send(self, expired_lease: ExpiredLease) -> None:
        """One event, where somebody listens. Raises `StoreUnavailable`."""
        if not self._events.is_enabled:
            return
        type = "task-retried" if expired_lease.state == State.WAITING else "task-failed"
        cause = f"{expired_lease.state}: {expired_lease.reason or 'its lease lapsed'}"
        id = task_id(expired_lease.id, self._ledger.generation(expired_lease.id))
        self._events.add(type, id, exception=cause, traceback=None)

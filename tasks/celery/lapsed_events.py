"""Tells Flower of tasks whose worker is gone: nobody is left to say how they ended, so whoever finds the lease does."""

from typing import Any

import structlog

from longshore.errors import StoreUnavailable
from longshore.store.connection import reaching_store
from longshore.store.entry import Lapsed
from longshore.store.ledger import Ledger
from longshore.store.states import State
from tasks.celery.publish import task_id

log = structlog.get_logger(__name__)


class Obituaries:
    """Sends the event that the dead worker would have sent. Without it a row would stay `STARTED` for ever."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._consumer: Any = None

    def consumes_with(self, consumer: Any) -> None:
        """Celery's consumer, whose events go through; told anew after each reconnect."""
        self._consumer = consumer

    def tell(self, lapsed: Lapsed) -> None:
        """One event, where somebody listens. What cannot be told is only missing from Flower."""
        dispatcher = getattr(self._consumer, "event_dispatcher", None)
        if dispatcher is None or not dispatcher.enabled:
            return
        event = "task-retried" if lapsed.state == State.WAITING else "task-failed"
        words = f"{lapsed.state}: {lapsed.reason or 'its lease lapsed'}"
        try:
            dispatcher.send(event, uuid=self._row(lapsed.id), exception=words, traceback=None)
        except (StoreUnavailable, OSError) as error:
            log.debug("lapsed.not_told", id=lapsed.id, error=type(error).__name__)

    def _row(self, id: str) -> str:
        with reaching_store():
            generation: Any = self._ledger.redis.hget(self._ledger.keys.invocation(id), "generation")
        return task_id(id, int(generation or 1))

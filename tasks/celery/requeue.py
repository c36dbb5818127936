"""The Celery task `requeue`: sends one ended invocation again, for scripts that speak Celery rather than a shell."""

from typing import Any

import structlog
from celery import Task

from longshore.store.letters import Letters
from longshore.store.requeue import Order, Requeue
from tasks.celery.deliver import Failed, QuietRequest

log = structlog.get_logger(__name__)

TASK = "requeue"
"""The task's name on the wire."""

SENT = ("requeued", "requeued_closed")


class RequeueTask(Task):
    """The task `requeue`. `letters` and `requeue` are set by the worker; other programs only know the name."""

    name = TASK
    Request = QuietRequest
    throws = (Failed,)
    ignore_result = True
    # Taken twice it would find the generation changed, not send twice; but then nobody would know what became of it.
    acks_late = False
    max_retries = 0
    letters: Letters | None = None
    requeue: Requeue | None = None

    def run(self, id: str = "", actor: str = "", why: str = "", replay: bool = False, **unknown: Any) -> str:
        """Sends the invocation `id` (Port's run id) again; `actor` and `why` are kept in its history.

        Raises Failed, with the reason, where it is not sent: `gone`, `busy`, `delivered`, `no_payload`, `changed`.
        """
        if self.letters is None or self.requeue is None:
            raise Failed("only a worker can requeue")
        if unknown:
            raise Failed(f"unknown arguments: {', '.join(sorted(unknown))}")
        if not all(isinstance(text, str) and text.strip() for text in (id, actor, why)):
            raise Failed("requeueing needs an id, an actor and a reason: requeue(id, actor, why)")
        letter = self.letters.get(id)
        became = self.requeue.one(letter, Order(actor, why, replay=replay is True)) if letter else "gone"
        log.info("letter.requeued", id=id, actor=actor, why=why, became=became)
        if became not in SENT:
            raise Failed(f"not sent again: {became}")
        return became

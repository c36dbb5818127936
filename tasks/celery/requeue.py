"""The Celery task `requeue`: sends one ended invocation again, for scripts that speak Celery rather than a shell."""

from typing import Any

from celery import Task

from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.requeue import requeue
from longshore.store.requeue import REQUEUED, Order
from tasks.celery.deliver import Failed, QuietRequest

TASK = "requeue"
"""The task's name on the wire."""


class RequeueTask(Task):
    """The task `requeue`. `access` is set by the worker; other programs only know the name."""

    name = TASK
    Request = QuietRequest
    throws = (Failed,)
    ignore_result = True
    # Taken twice it would find the generation changed, not send twice; but then nobody would know what became of it.
    acks_late = False
    max_retries = 0
    access: LedgerAccess | None = None

    def run(self, id: str = "", actor: str = "", why: str = "", replay: bool = False, **unknown: Any) -> str:
        """Sends the invocation `id` (Port's run id) again; `actor` and `why` are kept in its history.

        Raises Failed, with the reason, where it is not sent: `gone`, `busy`, `delivered`, `no_payload`, `changed`.
        """
        if self.access is None:
            raise Failed("only a worker can requeue")
        if unknown:
            raise Failed(f"unknown arguments: {', '.join(sorted(unknown))}")
        if not all(isinstance(text, str) and text.strip() for text in (id, actor, why)):
            raise Failed("requeueing needs an id, an actor and a reason: requeue(id, actor, why)")
        ((_, outcome),) = requeue(self.access, [(id, None)], Order(actor, why, replay=replay is True))
        if outcome not in REQUEUED:
            raise Failed(f"not sent again: {outcome}")
        return outcome

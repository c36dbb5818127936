"""The Celery task `requeue`: sends one ended invocation again, for scripts that speak Celery rather than a shell."""

from typing import Any

from celery import Task
from celery.worker.request import Request

from longshore.ledger.requeue import REQUEUED, RequeueRequest
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.requeue import requeue
from tasks.celery.names import REQUEUE


class QuietRequest(Request):
    """Sends Celery's events without tracebacks: a refusal is no fault of the code."""

    def send_event(self, type: str, **fields: Any) -> None:
        """As Celery's, for the events it sends itself."""
        if "traceback" in fields:
            fields["traceback"] = None
        super().send_event(type, **fields)


class RequeueRefused(Exception):
    """Nothing was sent again: Celery's state FAILURE, with the reason."""

    def __repr__(self) -> str:
        return str(self)


class RequeueTask(Task):
    """The task `requeue`. `access` is set by the worker; other programs only know the name."""

    name = REQUEUE
    Request = QuietRequest
    throws = (RequeueRefused,)
    ignore_result = True
    # Taken twice it would find the generation changed, not send twice; but then nobody would know what became of it.
    acks_late = False
    max_retries = 0
    access: LedgerAccess | None = None

    def run(self, id: str = "", actor: str = "", why: str = "", replay: bool = False, **unknown: Any) -> str:
        """Sends the invocation `id` (Port's run id) again; `actor` and `why` are kept in its history.

        Raises RequeueRefused with the reason if it is not sent: `gone`, `busy`, `delivered`, `no_payload`, `changed`.
        """
        if self.access is None:
            raise RequeueRefused("only a worker can requeue")
        if unknown:
            raise RequeueRefused(f"unknown arguments: {', '.join(sorted(unknown))}")
        if not all(isinstance(text, str) and text.strip() for text in (id, actor, why)):
            raise RequeueRefused("requeueing needs an id, an actor and a reason: requeue(id, actor, why)")
        ((_, outcome),) = requeue(self.access, [(id, None)], RequeueRequest(actor, why, replay=replay is True))
        if outcome not in REQUEUED:
            raise RequeueRefused(f"not sent again: {outcome}")
        return outcome

"""The Celery task: one message, one attempt, and its result in Celery's states so that Flower shows a run as one row.

What Celery must see for that was measured: a plain result for a success, a `Retry` for "again later", an exception
listed in `throws` for an end, `Ignore` for a message that means nothing any more.
"""

from typing import Any

from celery import Task
from celery.exceptions import Ignore, Retry
from celery.worker.request import Request

from longshore.errors import StoreUnavailable, place_of
from longshore.ledger.states import State
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.celery.names import DELIVER
from tasks.worker.attempt_result import DEFERRED
from tasks.worker.attempt_runner import AttemptRunner

log = EventLog(__name__)


class RetryLater(Retry):
    """The attempt failed and another follows: Celery's state RETRY."""

    def __init__(self, summary: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.exc = self

    def __repr__(self) -> str:
        return self.summary

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.summary,)


class DeliveryFailed(Exception):
    """Given up or unknown: Celery's state FAILURE, with the reason."""

    def __repr__(self) -> str:
        return str(self)


class QuietRequest(Request):
    """Sends Celery's events without tracebacks: a failed webhook is no fault of the code."""

    def send_event(self, type: str, **fields: Any) -> None:
        """As Celery's, for the events it sends itself."""
        if "traceback" in fields:
            fields["traceback"] = None
        super().send_event(type, **fields)


class Deliver(Task):
    """The task `deliver`. `runner` is set by the worker; other programs only know the name."""

    name = DELIVER
    Request = QuietRequest
    throws = (DeliveryFailed,)
    ignore_result = True
    acks_late = True
    max_retries = None
    runner: AttemptRunner | None = None

    def run(self, id: str, token: int, *more: Any, **others: Any) -> str:
        """One attempt for the claim `token` of invocation `id`, not before the time that follows (ms, Redis time).

        A message that says more is of another version, and goes back.
        """
        if self.runner is None:
            raise Ignore
        try:
            if len(more) != 1 or others:
                self.runner.release(id, token, "its message is of another version")
                raise Ignore
            result = self.runner.run(id, token, *more)
        except StoreUnavailable as error:
            # Nothing was sent: had it begun, the result would have been kept until it is stored.
            log.event(events.DELIVERY_START_FAILED, id=id, error=str(error))
            raise Ignore from None
        except Ignore:
            raise
        except Exception as error:  # a fault of ours or of the ledger's; Celery would log its text
            log.event(events.DELIVERY_CRASHED, id=id, error=type(error).__name__, at=place_of(error))
            raise Ignore from None
        if result is None:
            raise Ignore
        if result.state == DEFERRED:
            self.runner.metrics.count_deferral()
        if result.state == State.DONE:
            return result.summary
        if result.state in (State.WAITING, State.CLAIMED, DEFERRED):
            raise RetryLater(result.summary) from None
        raise DeliveryFailed(f"{result.state}: {result.summary}") from None

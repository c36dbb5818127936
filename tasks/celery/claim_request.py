"""A claim between its receipt and its end, as Celery and Flower see it.

It stands where Celery has a `Request` for each message: `inspect active`, `inspect reserved`, `query_task` and the
counters of a worker's heartbeat read these attributes. There is nothing to execute behind it.
"""

import os
import time
from typing import Any

from celery.worker import state as celery_state

from longshore.ledger.entry import Claim
from longshore.ledger.states import State
from tasks.celery.messages import celery_id
from tasks.celery.names import DELIVER
from tasks.celery.receipts import Receipt
from tasks.celery.task_events import TaskEvents
from tasks.worker.attempt_result import DEFERRED, StoredResult

_RETRIED = (State.WAITING, State.CLAIMED, DEFERRED)
"""States of an invocation that is attempted again."""


class ClaimRequest:
    """One claim that this worker holds: a `ReceivedClaim` of the pipeline.

    `receive` comes first; then, from any thread, `started` once its attempt has begun, and `ended`, which further calls
    do not change. When all claims of its message have ended, that is acknowledged, and the worker takes more.
    """

    __slots__ = ("__weakref__", "_events", "_receipt", "claim", "eventer", "hostname", "id", "name", "time_start")

    task: Any
    """The Celery task `deliver`, of which Celery asks options; set once for the class."""

    def __init__(self, claim: Claim, receipt: Receipt, events: TaskEvents, hostname: str) -> None:
        self.claim = claim
        self.id = celery_id(claim)
        self.name = f"{DELIVER} {claim.target}"
        self.hostname = hostname
        self.time_start: float | None = None
        self.eventer: Any = None
        """Set by Celery after a reconnect, and not needed here."""
        self._receipt = receipt
        self._events = events

    @property
    def is_revoked(self) -> bool:
        """Whether an operator revoked it since it was received."""
        return self.id in celery_state.revoked

    def receive(self) -> None:
        """It has come, and nobody works on it yet. In Celery's thread."""
        self._receipt.add(self)
        self._events.add(
            "task-received",
            self.id,
            name=self.name,
            args=f"({self.claim.id!r},)",
            kwargs="{}",
            root_id=self.id,
            parent_id=None,
            retries=self.claim.attempts,
            eta=None,
            expires=None,
        )

    def started(self) -> None:
        """Its attempt has begun."""
        self.time_start = time.monotonic()
        self._receipt.start(self)
        self._events.add("task-started", self.id)

    def ended(self, result: StoredResult | None) -> None:
        """What became of it, in Celery's states. None: nothing was sent, and its row stays as it is."""
        if not self._receipt.end(self) or result is None:
            return
        if result.state == State.DONE:
            self._events.add("task-succeeded", self.id, result=repr(result.summary), runtime=self._runtime_s())
        elif result.state in _RETRIED:
            self._events.add("task-retried", self.id, exception=result.summary, traceback=None)
        elif self.is_revoked:
            self._events.add("task-revoked", self.id, terminated=False, signum=None, expired=False)
        else:
            self._events.add("task-failed", self.id, exception=f"{result.state}: {result.summary}", traceback=None)

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What `inspect` shows of it; `safe` is Celery's, and makes no difference."""
        return {
            "id": self.id,
            "name": self.name,
            "args": [self.claim.id],
            "kwargs": {},
            "type": DELIVER,
            "hostname": self.hostname,
            "time_start": self.time_start and time.time() - (time.monotonic() - self.time_start),
            "acknowledged": self.acknowledged,
            "delivery_info": {"exchange": "", "routing_key": self._receipt.queue, "priority": 0, "redelivered": False},
            "worker_pid": os.getpid(),
        }

    @property
    def acknowledged(self) -> bool:
        """Whether its message is acknowledged."""
        return self._receipt.is_acknowledged

    def terminate(self, pool: Any, signal: Any = None) -> None:
        """Refused, as with Celery's pool of threads: bytes may have left."""
        raise NotImplementedError("a delivery is not interrupted")

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """What Celery asks for at a cold shutdown. A drain decides what becomes of deliveries under way."""

    def _runtime_s(self) -> float:
        return time.monotonic() - self.time_start if self.time_start is not None else 0.0

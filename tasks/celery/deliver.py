"""The Celery task `deliver`: takes messages of claims, and hands these to the worker.

Celery gives each task class a `Strategy`, a function that gets every message of it. Its own makes a `Request` of a
message and has a pool execute it; ours reads the claims and calls the worker's `Receiver`. What Celery would show of
its requests, `ClaimRequest` shows of each claim. A crash after receipt leaves the leases of the claims, which lapse.
"""

from collections.abc import Callable
from typing import Any

from celery import Celery, Task

from longshore.ledger.entry import Claim
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.celery.claim_request import ClaimRequest
from tasks.celery.messages import UNKNOWN_FORMAT, MessageClaims, decode_claims
from tasks.celery.names import DELIVER, format_of
from tasks.celery.receipts import Receipt, Receipts
from tasks.celery.receiver import Receiver
from tasks.celery.task_events import TaskEvents

log = EventLog(__name__)


class Deliver(Task):
    """The task `deliver`. The worker sets `receiver` and `events`; other programs only know the name."""

    name = DELIVER
    ignore_result = True
    acks_late = True
    max_retries = None
    receiver: Receiver
    events: TaskEvents

    def __init__(self) -> None:
        self.receipts = Receipts()
        """The claims that this process holds."""

    @staticmethod
    def Strategy(task: "Deliver", app: Celery, consumer: Any) -> Callable[..., None]:  # noqa: N802
        """Called by Celery for each connection; returns what it calls for each message."""
        task.receipts.use(consumer)
        task.events.use(consumer)

        def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any, **_: Any) -> None:
            task.take(message, consumer.hostname)

        return handle

    def take(self, message: Any, hostname: str) -> None:
        """Takes one message, which is acknowledged at once if none of its claims is left to be worked on."""
        receipt = Receipt(message, self.receipts)
        message_claims = self._read(message, receipt.queue)
        requests = []
        for claim in message_claims.claims:
            request = ClaimRequest(claim, receipt, self.events, hostname)
            request.receive()
            requests.append(request)
        for id, token in message_claims.unknown:
            request = ClaimRequest(Claim(id, token, 0, "", 0, 1, UNKNOWN_FORMAT), receipt, self.events, hostname)
            receipt.add(request)
            requests.append(request)
        if not requests:
            receipt.acknowledge()
            return
        try:
            self.receiver.receive(requests)
        except BaseException:
            for request in requests:
                request.ended(None)
            raise

    def _read(self, message: Any, queue: str) -> MessageClaims:
        match message.payload:
            case [arguments, keywords, *_]:
                message_claims = decode_claims(arguments, keywords, message.headers, format_of(queue))
            case _:
                message_claims = MessageClaims([], [], 1)
        if message_claims.garbage:
            log.event(events.CELERY_MESSAGE_DROPPED, error=f"{message_claims.garbage} elements are no claims")
        return message_claims

"""The claims that this process holds, and the messages that brought them.

A message is acknowledged when the last of its claims has ended. kombu reads on while the process holds fewer claims
than it has slots: claims are counted and not messages, as one carries up to twenty. The last may bring more than fit.

Claims start and end in any thread; Celery's sets and a message's channel are touched in Celery's own thread only,
between two turns of its event loop. What a crash leaves behind are the leases of these claims.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from celery.worker import state as celery_state

_FRESH_S = 0.1
"""Celery's sets are this far behind at most, where its loop has nothing else to do; one turn of it costs 0.1 ms."""


class Receivable(Protocol):
    """What Celery keeps in its sets: see claim_request.py."""

    id: str
    name: str
    time_start: float | None


class Receipt:
    """One message."""

    __slots__ = ("_message", "_receipts", "open_claims", "queue")

    def __init__(self, message: Any, receipts: "Receipts") -> None:
        """`message` is kombu's; with `open_claims` 0 it may be acknowledged."""
        self._message = message
        self._receipts = receipts
        self.queue = str(message.delivery_info.get("routing_key", ""))
        self.open_claims = 0

    @property
    def is_acknowledged(self) -> bool:
        """Whether it is acknowledged."""
        return bool(self._message.acknowledged)

    def add(self, request: Receivable) -> None:
        """`request` is one of its claims. In Celery's thread."""
        self._receipts.add(self, request)

    def start(self, request: Receivable) -> None:
        """An attempt for `request`, one of its claims, has begun."""
        self._receipts.apply_soon(_accept, request)

    def end(self, request: Receivable) -> bool:
        """One of its claims has ended; False if that was known."""
        return self._receipts.remove(self, request)

    def acknowledge(self) -> None:
        """In Celery's thread. A message of a connection that is gone has nobody left to tell."""
        if not self._message.acknowledged and not self._message.channel.closed:
            self._message.ack()


class Receipts:
    """All messages of this process that are not acknowledged, over all connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: set[Receivable] = set()
        self._changes: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._call_soon: Callable[[Callable[[], None]], object] = lambda _: None
        self._is_turn_due = False
        self._turned_at = 0.0
        self._slots = 0

    def use(self, consumer: Any) -> None:
        """Celery's consumer, in its thread; again after each reconnect, with another connection."""
        self._slots = consumer.pool.num_processes
        self._call_soon = consumer.call_soon
        consumer.hub.on_tick.add(self._turn)
        qos = consumer.connection.default_channel.qos
        may_take_message = qos.can_consume
        qos.can_consume = lambda: len(self._requests) < self._slots and may_take_message()
        self._is_turn_due = False
        self._turn()
        # At a reconnect Celery forgets what has not started, as a broker would deliver it again. Ours does not.
        for request in tuple(self._requests):
            if request not in celery_state.active_requests:
                _reserve(request)

    def add(self, receipt: Receipt, request: Receivable) -> None:
        """`request` is one of the claims of `receipt`. In Celery's thread."""
        receipt.open_claims += 1
        self._requests.add(request)
        _reserve(request)

    def remove(self, receipt: Receipt, request: Receivable) -> bool:
        """`request` has ended; False if that was known."""
        with self._lock:
            if request not in self._requests:
                return False
            was_full = len(self._requests) == self._slots
            self._requests.remove(request)
            receipt.open_claims -= 1
            is_last = not receipt.open_claims
        self._changes.append((_forget, (request,)))
        if is_last:
            self._changes.append((receipt.acknowledge, ()))
        self._turn_soon(is_urgent=was_full)
        return True

    def apply_soon(self, change: Callable[..., Any], *arguments: Any) -> None:
        """Calls `change` in Celery's thread, after what was put before."""
        self._changes.append((change, arguments))
        self._turn_soon(is_urgent=False)

    def __len__(self) -> int:
        """How many claims this process holds."""
        return len(self._requests)

    def _turn_soon(self, is_urgent: bool) -> None:
        """The loop turns by itself when a message comes; only one that waits must be woken."""
        if not self._is_turn_due and (is_urgent or time.monotonic() - self._turned_at > _FRESH_S):
            self._is_turn_due = True
            self._call_soon(self._turn)

    def _turn(self) -> None:
        self._is_turn_due = False
        self._turned_at = time.monotonic()
        while self._changes:
            change, arguments = self._changes.popleft()
            change(*arguments)


# What Celery's `task_reserved`, `task_accepted` and `task_ready` do, without what only a countdown or a result needs:
# half of their cost.


def _reserve(request: Receivable) -> None:
    celery_state.requests[request.id] = request
    celery_state.reserved_requests.add(request)


def _accept(request: Receivable) -> None:
    celery_state.active_requests.add(request)
    celery_state.total_count[request.name] += 1
    celery_state.all_total_count[0] += 1


def _forget(request: Receivable) -> None:
    if celery_state.requests.get(request.id) is request:  # its id may have been received again
        del celery_state.requests[request.id]
    celery_state.active_requests.discard(request)
    celery_state.reserved_requests.discard(request)

"""Brings workers' events into Flower's memory, few at a time, so that pages are answered while many events come."""

import time
from collections.abc import Callable
from queue import Empty, Queue
from typing import Any

from flower.events import Events
from tornado.ioloop import IOLoop

from longshore.dashboard.task_memory import TaskMemory

MAX_QUEUED_EVENTS = 2_000
"""Events read and not yet handled. With more, reading waits, and Redis buffers the rest up to its limit."""

MAX_TURN_S = 0.01
"""Longest turn of Flower's event loop that handles events."""


class EventReceiver(Events):
    """Flower's listener with a memory of ours, and a bounded queue before it.

    Flower by itself hands each event to its loop at once. When they come faster than it handles them, the loop's
    queue grows without bound, and a page waits behind all of them.
    """

    def __init__(
        self, capp: Any, io_loop: Any, *, max_tasks_in_memory: int, max_workers_in_memory: int, **options: Any
    ) -> None:
        super().__init__(
            capp,
            io_loop,
            max_tasks_in_memory=max_tasks_in_memory,
            max_workers_in_memory=max_workers_in_memory,
            **options,
        )
        memory: Any = self.state
        if not isinstance(memory, TaskMemory):  # Flower's own, created when nothing was persisted
            memory = TaskMemory(max_tasks_in_memory=max_tasks_in_memory, max_workers_in_memory=max_workers_in_memory)
        self.state: Any = memory
        self._queue = EventQueue(self.state.event, io_loop.add_callback)

    @classmethod
    def of(cls, capp: Any, options: Any) -> "EventReceiver":
        """With the options and the event loop that Flower gives its own `Events`."""
        return cls(
            capp,
            IOLoop.instance(),
            db=options.db,
            persistent=options.persistent,
            state_save_interval=options.state_save_interval,
            enable_events=options.enable_events,
            max_workers_in_memory=options.max_workers,
            max_tasks_in_memory=options.max_tasks,
        )

    def on_event(self, event: dict[str, Any]) -> None:
        """Called by the thread that reads from Redis."""
        self._queue.put(event)


class EventQueue:
    """Calls `handle` with each event, in order, on the loop that `schedule` calls back on."""

    def __init__(
        self, handle: Callable[[dict[str, Any]], object], schedule: Callable[[Callable[[], None]], object]
    ) -> None:
        self._handle = handle
        self._schedule = schedule
        self._events: Queue[dict[str, Any]] = Queue(MAX_QUEUED_EVENTS)

    def put(self, event: dict[str, Any]) -> None:
        """Called from one other thread; blocks while the queue is full."""
        self._events.put(event)
        if self._events.qsize() == 1:  # with more than one, a turn is scheduled already
            self._schedule(self._turn)

    def _turn(self) -> None:
        deadline = time.monotonic() + MAX_TURN_S
        has_more = True
        try:
            while time.monotonic() < deadline:
                try:
                    event = self._events.get_nowait()
                except Empty:
                    has_more = False
                    return
                self._handle(event)
        finally:
            if has_more:  # also where an invalid event raised, which the loop logs
                self._schedule(self._turn)  # after the requests that wait by now

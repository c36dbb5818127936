"""Events of workers on their way into Flower's memory: few at a time, so that pages answer while many come."""

import time
from collections.abc import Callable
from queue import Empty, Queue
from typing import Any

from flower.events import Events
from tornado.ioloop import IOLoop

from longshore.dashboard.task_memory import Memory

WAITING = 2_000
"""Events read and not yet taken in. Then reading waits, and Redis keeps the rest as long as it sees fit."""

TURN_S = 0.01
"""How long a turn of Flower's loop may go to events."""


class EventReceiver(Events):
    """Flower's listener with a memory of ours, and a bounded queue before it.

    Flower by itself hands each event to its loop at once. When they come faster than it takes them in, they pile up
    there without bound, and a page waits behind all of them.
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
        known: Any = self.state
        if not isinstance(known, Memory):  # Flower's own, made when there is nothing to go on from
            known = Memory(max_tasks_in_memory=max_tasks_in_memory, max_workers_in_memory=max_workers_in_memory)
        self.state: Any = known
        self._intake = Intake(self.state.event, io_loop.add_callback)

    @classmethod
    def of(cls, capp: Any, options: Any) -> "EventReceiver":
        """As Flower makes its own: with its options, on the main thread's loop."""
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
        """Called by the thread that reads."""
        self._intake.put(event)


class Intake:
    """Hands events to `take` on the loop that `soon` calls back on, in their order."""

    def __init__(self, take: Callable[[dict[str, Any]], object], soon: Callable[[Callable[[], None]], object]) -> None:
        self._take = take
        self._soon = soon
        self._events: Queue[dict[str, Any]] = Queue(WAITING)

    def put(self, event: dict[str, Any]) -> None:
        """From one other thread; waits while there are too many."""
        self._events.put(event)
        if self._events.qsize() == 1:  # behind others, a turn is on its way
            self._soon(self._turn)

    def _turn(self) -> None:
        until = time.monotonic() + TURN_S
        more = True
        try:
            while time.monotonic() < until:
                try:
                    event = self._events.get_nowait()
                except Empty:
                    more = False
                    return
                self._take(event)
        finally:
            if more:  # also where an event made no sense, which the loop logs
                self._soon(self._turn)  # behind the pages that wait by now

"""Waits for the responses of all requests under way: a request in flight costs a socket here, and no thread."""

import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from longshore.delivery.exchange import Exchange
from longshore.periodic import Periodic

TICK_S = 0.05
"""How often timeouts are looked at: one is at most this late."""

IDLE_S = 1.0

Resume = Callable[[bool], None]
"""Gets whether the read timeout is over."""


class ResponseWaiter:
    """Calls back when a response arrives, or when its read timeout is over. Thread safe.

    The deadline of an exchange shuts its socket down, which wakes it here as an answer does.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, tuple[float, Exchange, Resume]] = {}
        self._lock = threading.Lock()
        self._loop = Periodic("responses", 0, self._step)
        self.start = self._loop.start

    def stop(self) -> None:
        """Ends, and gives up what is still waited for: a drain has stored what is known of it."""
        self._loop.stop()
        for fd in list(self._waiting):
            if waiting := self._forget(fd):
                waiting[1].close()
        self._epoll.close()

    def wait(self, exchange: Exchange, resume: Resume) -> None:
        """`resume` is called once, from the waiter's thread: it hands the work on."""
        # -1 is closed meanwhile, as below: whoever reads from it finds out why.
        if exchange.has_buffered_data() or (fd := exchange.socket.fileno()) < 0:
            resume(False)
            return
        with self._lock:
            self._waiting[fd] = (time.monotonic() + exchange.timeout_s, exchange, resume)
        try:
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT)
        except OSError:
            if self._forget(fd):
                resume(False)

    def _forget(self, fd: int) -> tuple[float, Exchange, Resume] | None:
        with self._lock:
            return self._waiting.pop(fd, None)

    def _step(self) -> float | None:
        ready = self._epoll.poll(TICK_S if self._waiting else IDLE_S)
        for fd, _ in ready:
            self._resume(fd, is_timed_out=False)
        now = time.monotonic()
        with self._lock:
            late = [fd for fd, (until, _, _) in self._waiting.items() if now >= until]
        for fd in late:
            self._resume(fd, is_timed_out=True)
        return None

    def _resume(self, fd: int, *, is_timed_out: bool) -> None:
        waiting = self._forget(fd)
        if waiting is None:
            return
        with suppress(OSError):  # closed by whoever abandoned it, which unregisters it too
            self._epoll.unregister(fd)
        waiting[2](is_timed_out)

"""The total deadline of one attempt, the watchdog that enforces it, and how far the attempt got.

`requests` has timeouts for connecting and for each read, but none for the whole: a target that drips one byte a second
is never late. Recomputing the read timeout cannot help either, because the standard library reads headers in its own
loop. So one thread per process looks at all attempts every 50 ms and shuts down the socket of those that are over; the
read or write that hangs there then fails at once, whatever it was, TLS and proxies included.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from enum import IntEnum
from typing import Protocol

from longshore.errors import place_of
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic

log = EventLog(__name__)

TICK_S = 0.05
"""How often the watchdog looks: a deadline is at most this late, and hundreds of attempts cost it microseconds."""

IDLE_S = 10.0
"""How long it waits for an attempt at once."""


class ConnectStage(IntEnum):
    """How far the current connection has come."""

    START = 0
    RESOLVE = 1
    CONNECT = 2
    TUNNEL = 3
    TLS = 4
    OPEN = 5


class InterruptibleConnection(Protocol):
    """A connection that the watchdog can shut down while another thread hangs in it."""

    owner_lock: threading.Lock
    owner: "RequestDeadline | None"
    raw_socket: socket.socket | None


class RequestDeadline:
    """One attempt, redirects included. `total_s` is its total deadline in seconds.

    The attempt lasts from the first `enter` to `end`. Between `leave` and the next `enter`, in whatever thread, nobody
    works on it, but its connection is watched all the same. As a context manager it is one stretch of work.

    The connection writes its progress here: `stage`, `peer` (host:port it talks to), `peer_is_proxy`, `has_sent` from
    the moment before the first byte of the request leaves, and `failure` (reason and cause) when no connection came
    about. `has_expired` is set when the watchdog, or a look at the clock, ended it.
    """

    def __init__(self, total_s: float, blocking: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """`blocking` is entered around what may take long: opening a connection, an answer of which more is to come."""
        self.total_s = total_s
        self.blocking = blocking
        self.expires_at = time.monotonic() + total_s
        self.connection: InterruptibleConnection | None = None
        self.has_expired = False
        self.begin_request()

    def begin_request(self) -> None:
        """Another request of the same attempt begins: the first one, or the next of a chain of redirects."""
        self.stage = ConnectStage.START
        self.peer = ""
        self.peer_is_proxy = False
        self.has_sent = False
        self.failure: tuple[str, str] | None = None

    def remaining_s(self) -> float:
        """Seconds until the deadline; negative when it is over."""
        return self.expires_at - time.monotonic()

    def is_over(self) -> bool:
        """Has the watchdog ended it, or is it about to?"""
        return self.has_expired or self.remaining_s() <= 0

    def set_stage(self, stage: ConnectStage, peer: str, *, peer_is_proxy: bool) -> None:
        """The connection is now at `stage` with `peer`, which is a proxy if `peer_is_proxy`."""
        self.stage, self.peer, self.peer_is_proxy = stage, peer, peer_is_proxy

    def enter(self) -> None:
        """This thread works on the attempt from here on."""
        _thread.deadline = self
        _active.add(self)
        _ensure_watchdog()

    def leave(self) -> None:
        """This thread has nothing to do for it now."""
        _thread.deadline = None

    def end(self) -> None:
        """Nothing is left to do, for anybody."""
        self.leave()
        _active.discard(self)
        self.connection = None

    def __enter__(self) -> "RequestDeadline":
        self.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


_thread = threading.local()
_active: set[RequestDeadline] = set()
_start_lock = threading.Lock()
_wakeup = threading.Event()
_watchdog: Periodic | None = None


def current_deadline() -> RequestDeadline:
    """The attempt that this thread is in. Connections of this room are only used within one."""
    deadline: RequestDeadline | None = getattr(_thread, "deadline", None)
    if deadline is None:
        raise RuntimeError("a connection of the delivery room was used outside of an attempt")
    return deadline


def _ensure_watchdog() -> None:
    global _watchdog
    if _watchdog is None:
        with _start_lock:
            if _watchdog is None:
                _watchdog = Periodic("delivery-deadlines", TICK_S, _watch)
                _watchdog.start()
    if not _wakeup.is_set():
        _wakeup.set()


def _watch() -> None:
    if not _active:
        # Cleared first and looked at again, so that an attempt beginning in between wakes it.
        _wakeup.clear()
        if not _active:
            _wakeup.wait(IDLE_S)
    for deadline in list(_active):
        try:
            _cut_if_over(deadline)
        except Exception as error:  # the others' deadlines depend on this thread
            log.event(events.DELIVERY_WATCHDOG_FAILED, error=type(error).__name__, at=place_of(error))


def _cut_if_over(deadline: RequestDeadline) -> None:
    conn = deadline.connection
    if conn is None or deadline.remaining_s() > 0:
        return
    with conn.owner_lock:
        # The connection may be back in its pool, or already carry somebody else's attempt.
        if conn.owner is deadline and conn.raw_socket is not None:
            deadline.has_expired = True
            try:
                # Not the TLS socket's own shutdown: it drops the TLS state under the reading thread.
                socket.socket.shutdown(conn.raw_socket, socket.SHUT_RDWR)
            except OSError:
                pass  # not connected yet, or already closed: the next tick looks again


def _reset_after_fork() -> None:
    """In a forked child: its parent's attempts are not its own, and shutting a shared socket down would end both."""
    global _watchdog, _start_lock
    _active.clear()
    _watchdog, _start_lock = None, threading.Lock()
    _wakeup.clear()
    _thread.deadline = None


os.register_at_fork(after_in_child=_reset_after_fork)

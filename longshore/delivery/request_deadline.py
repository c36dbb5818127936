"""One attempt under the watchdog's eye: how far it got, and the total deadline that ends it.

`requests` has timeouts for connecting and for each read, but none for the whole: a target that drips one byte a second
is never late. Recomputing the read timeout cannot help either, because the standard library reads headers in its own
loop. So one thread per process looks at all attempts every 50 ms and shuts down the socket of those that are over; the
read or write that hangs there then fails at once, whatever it was, TLS and proxies included.
"""

import os
import socket
import threading
import time
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


class Cuttable(Protocol):
    """A connection that the watchdog can shut down while another thread hangs in it."""

    guard: threading.Lock
    owner: "RequestDeadline | None"
    wire: socket.socket | None


class RequestDeadline:
    """One attempt, redirects included; a context manager around all that happens within it.

    `total_s` is the total deadline in seconds.

    The connection writes here what it is about: `stage`, `peer` (host:port it talks to) and `proxied` (the peer is a
    proxy), `sent` from the moment before the first byte of the request leaves, and `trouble` (reason and cause) when
    no connection came about. `expired` is set when the watchdog, or a look at the clock, ended it.
    """

    def __init__(self, total_s: float) -> None:
        self.total_s = total_s
        self.at = time.monotonic() + total_s
        self.conn: Cuttable | None = None
        self.expired = False
        self.begin_hop()

    def begin_hop(self) -> None:
        """Another request of the same attempt begins: the first one, or the next of a chain of redirects."""
        self.stage = ConnectStage.START
        self.peer = ""
        self.proxied = False
        self.sent = False
        self.trouble: tuple[str, str] | None = None

    def left(self) -> float:
        """Seconds until the deadline; negative when it is over."""
        return self.at - time.monotonic()

    def over(self) -> bool:
        """Has the watchdog ended it, or is it about to?"""
        return self.expired or self.left() <= 0

    def reach(self, stage: ConnectStage, peer: str, *, proxied: bool) -> None:
        """The connection is now at `stage` with `peer`, which is a proxy if `proxied`."""
        self.stage, self.peer, self.proxied = stage, peer, proxied

    def __enter__(self) -> "RequestDeadline":
        _here.attempt = self
        _live.add(self)
        _ensure_watchdog()
        return self

    def __exit__(self, *_: object) -> None:
        _live.discard(self)
        _here.attempt = None
        self.conn = None


_here = threading.local()
_live: set[RequestDeadline] = set()
_start = threading.Lock()
_awake = threading.Event()
_watchdog: Periodic | None = None


def current() -> RequestDeadline:
    """The attempt that this thread is in. Connections of this room are only used within one."""
    attempt: RequestDeadline | None = getattr(_here, "attempt", None)
    if attempt is None:
        raise RuntimeError("a connection of the delivery room was used outside of an attempt")
    return attempt


def _ensure_watchdog() -> None:
    global _watchdog
    if _watchdog is None:
        with _start:
            if _watchdog is None:
                _watchdog = Periodic("delivery-deadlines", TICK_S, _watch)
                _watchdog.start()
    if not _awake.is_set():
        _awake.set()


def _watch() -> None:
    if not _live:
        # Cleared first and looked at again, so that an attempt beginning in between wakes it.
        _awake.clear()
        if not _live:
            _awake.wait(IDLE_S)
    for attempt in list(_live):
        try:
            _cut_if_over(attempt)
        except Exception as error:  # the others' deadlines depend on this thread
            log.event(events.DELIVERY_WATCHDOG_FAILED, error=type(error).__name__, at=place_of(error))


def _cut_if_over(attempt: RequestDeadline) -> None:
    conn = attempt.conn
    if conn is None or attempt.left() > 0:
        return
    with conn.guard:
        # The connection may be back in its pool, or already carry somebody else's attempt.
        if conn.owner is attempt and conn.wire is not None:
            attempt.expired = True
            try:
                # Not the TLS socket's own shutdown: it drops the TLS state under the reading thread.
                socket.socket.shutdown(conn.wire, socket.SHUT_RDWR)
            except OSError:
                pass  # not connected yet, or already closed: the next tick looks again


def _forget_parent() -> None:
    """In a forked child: its parent's attempts are not its own, and shutting a shared socket down would end both."""
    global _watchdog, _start
    _live.clear()
    _watchdog, _start = None, threading.Lock()
    _awake.clear()
    _here.attempt = None


os.register_at_fork(after_in_child=_forget_parent)

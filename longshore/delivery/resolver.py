"""Names to addresses, within a time limit.

`getaddrinfo` cannot be cut off: with a dead name server it holds its thread for as long as resolv.conf says. So it
runs in a thread of its own, which the attempt stops waiting for. All who ask for the same name meanwhile share one
lookup, so that a dead name server costs one thread per name and not one per attempt.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

AddrInfo = tuple[Any, ...]
"""One result of `getaddrinfo`: family, type, protocol, canonical name, socket address."""

Lookup = Callable[[str, int, int, int], Sequence[AddrInfo]]
"""What `socket.getaddrinfo` does, given host, port, family and socket type."""


class _PendingLookup:
    """A lookup under way, and those who wait for it."""

    def __init__(self) -> None:
        self.completed = threading.Event()
        self.addresses: Sequence[AddrInfo] = ()
        self.error: Exception | None = None


class Resolver:
    """Looks names up, never for longer than `timeout_s`. May be shared by any number of threads.

    Nothing is cached beyond the lookup's own end: how long an answer holds is the system resolver's business.
    """

    def __init__(self, lookup: Lookup = socket.getaddrinfo) -> None:
        self._lookup = lookup
        self._pending: dict[tuple[str, int], _PendingLookup] = {}
        self._lock = threading.Lock()

    def resolve(self, host: str, port: int, timeout_s: float) -> Sequence[AddrInfo]:
        """The addresses of `host` (no brackets), in the order in which they should be tried.

        Raises TimeoutError after `timeout_s`, and `socket.gaierror`, UnicodeError or what else the lookup raised.
        """
        if _is_address(host):
            return socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)  # asks nobody
        pending = self._join_lookup(host, port)
        if not pending.completed.wait(timeout_s):
            raise TimeoutError(f"no answer from the name server within {timeout_s:.1f} s")
        if pending.error is not None:
            # A copy, because a traceback grows with each thread that raises the same object.
            raise type(pending.error)(*pending.error.args)
        return pending.addresses

    def _join_lookup(self, host: str, port: int) -> _PendingLookup:
        """The lookup of `host` that is under way, or a new one."""
        with self._lock:
            pending = self._pending.get((host, port))
            if pending is None:
                pending = self._pending[host, port] = _PendingLookup()
                worker = threading.Thread(target=self._run, args=(host, port, pending), name="resolve", daemon=True)
                try:
                    worker.start()
                except RuntimeError:  # no more threads: the next one to ask must not wait for this one
                    del self._pending[host, port]
                    raise
        return pending

    def _run(self, host: str, port: int, pending: _PendingLookup) -> None:
        try:
            pending.addresses = self._lookup(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        except Exception as error:
            pending.error = error
        finally:
            with self._lock:
                del self._pending[host, port]
            pending.completed.set()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
